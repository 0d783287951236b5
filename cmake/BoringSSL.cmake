# BoringSSL, built from source, static, optimized whatever the build type. Gives
#   ekubench::boringssl_crypto, ekubench::boringssl_ssl
#   EKUBENCH_BORINGSSL_REVISION  commit, or "unknown"
#   EKUBENCH_BORINGSSL_ASM       1 if the assembly is in, else 0

set(EKUBENCH_BORINGSSL_SOURCE
    "${EKUBENCH_CACHE}/src/android-platform-external-boringssl-14.0.0+r45"
    CACHE PATH "BoringSSL source tree (Android's or upstream's)")

if(NOT EXISTS "${EKUBENCH_BORINGSSL_SOURCE}/android-sources.cmake"
   AND NOT EXISTS "${EKUBENCH_BORINGSSL_SOURCE}/CMakeLists.txt")
  message(
    FATAL_ERROR
      "There is no BoringSSL source tree in \"${EKUBENCH_BORINGSSL_SOURCE}\". "
      "Run scripts/deps.sh to get it, or give another one with -DEKUBENCH_BORINGSSL_SOURCE=DIR.")
endif()

set(EKUBENCH_BORINGSSL_REVISION "unknown")
if(EXISTS "${EKUBENCH_BORINGSSL_SOURCE}/BORINGSSL_REVISION")
  file(STRINGS "${EKUBENCH_BORINGSSL_SOURCE}/BORINGSSL_REVISION" EKUBENCH_BORINGSSL_REVISION LIMIT_COUNT 1)
elseif(EXISTS "${EKUBENCH_BORINGSSL_SOURCE}/.git")
  # Only a checkout of its own: inside another repository git would name that one's commit.
  execute_process(
    COMMAND git -C "${EKUBENCH_BORINGSSL_SOURCE}" rev-parse HEAD
    OUTPUT_VARIABLE ekb_revision
    RESULT_VARIABLE ekb_result
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(ekb_result EQUAL 0)
    set(EKUBENCH_BORINGSSL_REVISION "${ekb_revision}")
  endif()
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64|aarch64|arm64)$")
  set(EKUBENCH_BORINGSSL_ASM 1)
else()
  set(EKUBENCH_BORINGSSL_ASM 0)
endif()

# A directory of its own, because the build type and BoringSSL's flags must not reach our code.
add_subdirectory("${PROJECT_SOURCE_DIR}/cmake/boringssl" "${PROJECT_BINARY_DIR}/boringssl"
                 EXCLUDE_FROM_ALL SYSTEM)

# `crypto` and `ssl` are the names upstream gives its targets.
foreach(ekb_lib IN ITEMS crypto ssl)
  add_library(ekb_boringssl_${ekb_lib} INTERFACE)
  add_library(ekubench::boringssl_${ekb_lib} ALIAS ekb_boringssl_${ekb_lib})
  target_link_libraries(ekb_boringssl_${ekb_lib} INTERFACE ${ekb_lib})
  # SYSTEM also puts them before the directories the compiler knows, so that the headers of an
  # installed OpenSSL, which have the same names, lose.
  target_include_directories(ekb_boringssl_${ekb_lib} SYSTEM INTERFACE "${EKB_BORINGSSL_INCLUDE_DIR}")
endforeach()
message(STATUS "BoringSSL ${EKUBENCH_BORINGSSL_REVISION}, assembly: ${EKUBENCH_BORINGSSL_ASM}")
