# What makes a fault of a program of ours hard to use, for all of them: test/unit/hardening.test.ts looks for it in what
# is built.
include(CheckCXXCompilerFlag)

add_compile_options(-fstack-protector-strong)
add_link_options(LINKER:-z,relro,-z,now,-z,noexecstack)

# It checks nothing in code that is not optimised, and the sanitizers check more.
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT LAMINA_SANITIZE)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()

check_cxx_compiler_flag(-fcf-protection=full LAMINA_HAS_CF_PROTECTION)
check_cxx_compiler_flag(-mbranch-protection=standard LAMINA_HAS_BRANCH_PROTECTION)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND LAMINA_HAS_CF_PROTECTION)
  add_compile_options(-fcf-protection=full)
  # The start files of some distributions do not carry the note, though they need nothing changed: the linker would
  # leave it out.
  add_link_options(LINKER:-z,ibt,-z,shstk)
elseif(LAMINA_HAS_BRANCH_PROTECTION)
  add_compile_options(-mbranch-protection=standard)
endif()
