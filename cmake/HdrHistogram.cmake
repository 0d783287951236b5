# HdrHistogram_c, built from source with the flags of ours that matter (sanitizers), optimized
# whatever the build type. Gives ekubench::hdr and EKUBENCH_HDR_VERSION.

set(EKUBENCH_HDR_SOURCE "${EKUBENCH_CACHE}/src/HdrHistogram_c-0.11.8"
    CACHE PATH "HdrHistogram_c source tree")

set(ekb_hdr_version_header "${EKUBENCH_HDR_SOURCE}/include/hdr/hdr_histogram_version.h")
if(NOT EXISTS "${ekb_hdr_version_header}")
  message(
    FATAL_ERROR
      "There is no HdrHistogram_c source tree in \"${EKUBENCH_HDR_SOURCE}\". "
      "Run scripts/deps.sh to get it, or give another one with -DEKUBENCH_HDR_SOURCE=DIR.")
endif()
file(STRINGS "${ekb_hdr_version_header}" ekb_hdr_line REGEX "define HDR_HISTOGRAM_VERSION \"")
string(REGEX REPLACE ".*\"(.*)\".*" "\\1" EKUBENCH_HDR_VERSION "${ekb_hdr_line}")

add_subdirectory("${PROJECT_SOURCE_DIR}/cmake/hdr" "${PROJECT_BINARY_DIR}/hdr" EXCLUDE_FROM_ALL SYSTEM)
