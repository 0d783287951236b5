# ekubench::build_info: the generated headers ekubench_build.h and build_git.h.

set(EKB_BUILD_COMPILER "${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}")
set(EKB_BUILD_TYPE "${CMAKE_BUILD_TYPE}")
set(EKB_BUILD_CRITERION_VERSION "none")
if(EKB_CRITERION_VERSION)
  set(EKB_BUILD_CRITERION_VERSION "${EKB_CRITERION_VERSION}")
endif()

# What changes the code; the warnings do not.
string(TOUPPER "${CMAKE_BUILD_TYPE}" ekb_type)
set(ekb_flags "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${ekb_type}} -std=gnu11 -fno-omit-frame-pointer")
if(EKUBENCH_ASSERTS)
  string(APPEND ekb_flags " -UNDEBUG")
endif()
if(EKUBENCH_SANITIZE)
  string(APPEND ekb_flags " -fsanitize=${EKUBENCH_SANITIZE}")
  if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    string(APPEND ekb_flags " -O1")
  endif()
endif()
string(STRIP "${ekb_flags}" ekb_flags)
# Flags may hold quotes, as in -DX="y"; they end up in a C string.
string(REPLACE "\\" "\\\\" ekb_flags "${ekb_flags}")
string(REPLACE "\"" "\\\"" EKB_BUILD_FLAGS "${ekb_flags}")

set(ekb_generated "${PROJECT_BINARY_DIR}/generated")
configure_file("${PROJECT_SOURCE_DIR}/cmake/ekubench_build.h.in" "${ekb_generated}/ekubench_build.h" @ONLY)

# Runs in every build and writes only on change, so that a build after no change compiles nothing.
add_custom_target(
  ekb_build_git
  COMMAND "${CMAKE_COMMAND}" "-DSOURCE_DIR=${PROJECT_SOURCE_DIR}" "-DOUTPUT=${ekb_generated}/build_git.h"
          -P "${PROJECT_SOURCE_DIR}/cmake/EkbGitDescribe.cmake"
  BYPRODUCTS "${ekb_generated}/build_git.h"
  COMMENT "Describing the commit"
  VERBATIM)

add_library(ekb_build_info INTERFACE)
add_library(ekubench::build_info ALIAS ekb_build_info)
target_include_directories(ekb_build_info INTERFACE "${ekb_generated}")
add_dependencies(ekb_build_info ekb_build_git)
