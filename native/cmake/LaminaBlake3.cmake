# The hash of contents: BLAKE3's own C code, as the Debian package librust-blake3-dev carries it.
file(GLOB blake3_directories /usr/share/cargo/registry/blake3-*/c)
find_path(BLAKE3_DIRECTORY blake3_dispatch.c PATHS ${blake3_directories} NO_DEFAULT_PATH)
if(NOT BLAKE3_DIRECTORY)
  message(FATAL_ERROR "the sources of BLAKE3 are missing: install librust-blake3-dev, or give -DBLAKE3_DIRECTORY=DIR")
endif()

enable_language(ASM)
set(blake3_sources blake3.c blake3_dispatch.c blake3_portable.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND blake3_sources blake3_sse2_x86-64_unix.S blake3_sse41_x86-64_unix.S blake3_avx2_x86-64_unix.S
    blake3_avx512_x86-64_unix.S)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  list(APPEND blake3_sources blake3_neon.c)
endif()
list(TRANSFORM blake3_sources PREPEND "${BLAKE3_DIRECTORY}/")
add_library(blake3 STATIC ${blake3_sources})
target_include_directories(blake3 SYSTEM PUBLIC "${BLAKE3_DIRECTORY}")
target_compile_options(blake3 PRIVATE $<$<COMPILE_LANGUAGE:C>:-O2 -fvisibility=hidden>)
