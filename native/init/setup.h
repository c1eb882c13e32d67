// What the sandbox is to have before the command begins, as its maker wrote it down.
#pragma once

namespace lamina::init {

struct Setup {
  // The command leads the terminal's foreground group; else it has a session of its own, without a terminal.
  bool foreground = false;
};

// Reads the records of the setup file and makes the directories and files that they ask for. Each record is a word and its
// fields, every one ended by a NUL:
//
//   foreground
//   directory PATH MODE UID GID     made where it is missing; gets these attributes
//   file PATH CONTENT               made, mode 0644
//   mounted PATH                    must be there, on another file system than the root
//
// PATHs lie in file systems that nobody but us has written to. Ends the process where something cannot be made.
Setup make_setup(int file);

}  // namespace lamina::init
