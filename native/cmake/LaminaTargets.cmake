# The few functions that a room's CMakeLists.txt is made of.
#
#   lamina_room(fuse DEPENDS sys)               native/fuse/*.cc -> static library lamina_fuse
#   lamina_room(overlay PARTS tree DEPENDS sys) the same, of native/overlay/*.cc and native/overlay/tree/*.cc
#   lamina_test(overlay DEPENDS overlay)        native/test/overlay/*_test.cc -> executable test_overlay, run by ctest
#   lamina_compile_options(target)              warnings and sanitizers for any other target
#
# Sources are globbed; headers are included from native/ ("overlay/inodes/inode.h").

find_package(Threads REQUIRED)

function(lamina_compile_options target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
    -Wcast-qual -Wformat=2 -Wundef -Werror -fno-strict-aliasing)
  if(CMAKE_UNITY_BUILD)
    # A name of one file then shadows what another one has in its unnamed namespace.
    target_compile_options(${target} PRIVATE -Wno-shadow)
  endif()
  target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE _FILE_OFFSET_BITS=64)
  if(LAMINA_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${LAMINA_SANITIZE} -fno-omit-frame-pointer
      -fno-sanitize-recover=all)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # GCC 12 warns of its own <regex> where sanitizers keep it from inlining.
      target_compile_options(${target} PUBLIC -Wno-maybe-uninitialized)
    endif()
    target_link_options(${target} PUBLIC -fsanitize=${LAMINA_SANITIZE})
  endif()
endfunction()

function(lamina_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "PARTS;DEPENDS")
  set(patterns "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  foreach(part IN LISTS arg_PARTS)
    list(APPEND patterns "${CMAKE_CURRENT_SOURCE_DIR}/${part}/*.cc")
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  add_library(lamina_${room} STATIC ${sources})
  lamina_compile_options(lamina_${room})
  target_link_libraries(lamina_${room} PUBLIC Threads::Threads)
  foreach(dependency IN LISTS arg_DEPENDS)
    target_link_libraries(lamina_${room} PUBLIC lamina_${dependency})
  endforeach()
endfunction()

function(lamina_test room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "DEPENDS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  add_executable(test_${room} ${sources})
  lamina_compile_options(test_${room})
  # GoogleTest's macros convert signs.
  target_compile_options(test_${room} PRIVATE -Wno-sign-conversion -Wno-conversion -Wno-undef)
  foreach(dependency IN LISTS arg_DEPENDS)
    target_link_libraries(test_${room} PRIVATE lamina_${dependency})
  endforeach()
  target_link_libraries(test_${room} PRIVATE GTest::gtest GTest::gtest_main)
  gtest_discover_tests(test_${room} TEST_PREFIX "${room}." DISCOVERY_TIMEOUT 30 PROPERTIES TIMEOUT ${arg_TIMEOUT})
endfunction()
