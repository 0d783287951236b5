# How our own code is compiled, as interface targets, so that nothing is set globally:
#   ekubench::options   feature macros, frame pointers, asserts
#   ekubench::warnings  the warnings
#   ekubench::sanitize  the sanitizers, for compiling and linking; BoringSSL and HdrHistogram use it too

add_library(ekb_options INTERFACE)
add_library(ekubench::options ALIAS ekb_options)
target_compile_definitions(ekb_options INTERFACE _GNU_SOURCE)
# Frame pointers in every build: profiles of the release binary are part of the method.
target_compile_options(
  ekb_options
  INTERFACE -fno-omit-frame-pointer
            # Follows the build type's -DNDEBUG on the command line, hence wins.
            $<$<BOOL:${EKUBENCH_ASSERTS}>:-UNDEBUG>)
if(EKUBENCH_SANITIZE)
  # -O0 under a sanitizer is too slow for handshakes.
  target_compile_options(ekb_options INTERFACE $<$<CONFIG:Debug>:-O1>)
endif()

add_library(ekb_warnings INTERFACE)
add_library(ekubench::warnings ALIAS ekb_warnings)
target_compile_options(
  ekb_warnings
  INTERFACE -Wall
            -Wextra
            -Wshadow
            -Wconversion
            -Wstrict-prototypes
            -Wmissing-prototypes
            -Wundef
            -Wvla
            -Wformat=2
            -Wswitch-enum
            -Wcast-qual
            -Wwrite-strings
            $<$<BOOL:${EKUBENCH_WERROR}>:-Werror>)

# Linked after the above: Criterion's cr_assert(eq(...)) narrows to a bit-field and takes strings that
# are not const.
add_library(ekb_test_warnings INTERFACE)
add_library(ekubench::test_warnings ALIAS ekb_test_warnings)
target_compile_options(ekb_test_warnings INTERFACE -Wno-conversion -Wno-write-strings)

add_library(ekb_sanitize INTERFACE)
add_library(ekubench::sanitize ALIAS ekb_sanitize)
if(EKUBENCH_SANITIZE)
  set(ekb_sanitize_flags "-fsanitize=${EKUBENCH_SANITIZE}" -fno-sanitize-recover=all)
  # Assembly takes none of these.
  target_compile_options(
    ekb_sanitize
    INTERFACE "$<$<COMPILE_LANGUAGE:C,CXX>:${ekb_sanitize_flags};-fno-omit-frame-pointer>")
  target_link_options(ekb_sanitize INTERFACE ${ekb_sanitize_flags})
endif()

if(EKUBENCH_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "EKUBENCH_FUZZ needs clang (libFuzzer); use the preset `fuzz`.")
endif()
