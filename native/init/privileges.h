// What a process inherits of powers.
#pragma once

namespace lamina::init {

// Clears the ambient and the inheritable set, and takes all that is not permitted out of the bounding set: a program that leaves
// root by real and effective uid alone (as Perl's $< and $> do, the saved one following at the next exec) then loses its
// capabilities, as in a root's own machine. Ends the process where that fails.
void limit_inherited_capabilities();

}  // namespace lamina::init
