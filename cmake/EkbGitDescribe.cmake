# cmake -DSOURCE_DIR=… -DOUTPUT=… -P EkbGitDescribe.cmake: writes OUTPUT, which defines
# EKB_BUILD_GIT, unless it says the same already.

set(describe "unknown")
# Without this test, a source archive unpacked inside some other repository would be described by it.
if(EXISTS "${SOURCE_DIR}/.git")
  # No optional locks: a build must not disturb a git command that runs beside it.
  execute_process(
    COMMAND git --no-optional-locks -C "${SOURCE_DIR}" describe --always --dirty --tags
    OUTPUT_VARIABLE out
    RESULT_VARIABLE result
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(result EQUAL 0 AND NOT out STREQUAL "")
    set(describe "${out}")
  endif()
endif()

set(text "#ifndef EKUBENCH_BUILD_GIT_H\n#define EKUBENCH_BUILD_GIT_H\n\n")
string(APPEND text "#define EKB_BUILD_GIT \"${describe}\"\n\n#endif\n")
set(old "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" old)
endif()
if(NOT text STREQUAL old)
  file(WRITE "${OUTPUT}" "${text}")
endif()
