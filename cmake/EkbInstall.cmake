# The program, libekubench (all layers but cli in one archive), its headers, and a CMake package.
#
# BoringSSL and HdrHistogram_c are installed beside it under names of our own, in a directory of our
# own, without headers: our headers include none of theirs, and a consumer that also uses OpenSSL
# must not find them by accident.

set(ekb_private_libdir "${CMAKE_INSTALL_LIBDIR}/ekubench")
set(ekb_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ekubench")

get_property(ekb_programs GLOBAL PROPERTY EKB_PROGRAMS)
if(ekb_programs)
  install(TARGETS ${ekb_programs} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  # The program knows its manual page and its completions.
  set(ekb_words "${PROJECT_BINARY_DIR}/words")
  add_custom_command(
      OUTPUT "${ekb_words}/ekubench.1" "${ekb_words}/ekubench" "${ekb_words}/_ekubench"
      COMMAND ${CMAKE_COMMAND} -E make_directory "${ekb_words}"
      COMMAND ekubench manual > "${ekb_words}/ekubench.1"
      COMMAND ekubench completion bash > "${ekb_words}/ekubench"
      COMMAND ekubench completion zsh > "${ekb_words}/_ekubench"
      DEPENDS ekubench
      VERBATIM
  )
  add_custom_target(ekb_words ALL DEPENDS "${ekb_words}/ekubench.1")
  install(FILES "${ekb_words}/ekubench.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
  install(FILES "${ekb_words}/ekubench" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
  install(FILES "${ekb_words}/_ekubench" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
endif()

set(ekb_objects "")
get_property(ekb_layers GLOBAL PROPERTY EKB_LAYERS)
foreach(ekb_layer IN LISTS ekb_layers)
  get_target_property(ekb_type ekb_${ekb_layer} TYPE)
  if(NOT ekb_layer STREQUAL "cli" AND ekb_type STREQUAL "STATIC_LIBRARY")
    list(APPEND ekb_objects $<TARGET_OBJECTS:ekb_${ekb_layer}>)
  endif()
endforeach()
if(NOT ekb_objects)
  return()
endif()

add_library(ekubench_lib STATIC ${ekb_objects})
set_target_properties(ekubench_lib PROPERTIES OUTPUT_NAME ekubench LINKER_LANGUAGE C)
# They are excluded from `all`, and a build of few layers may need none of them.
add_dependencies(ekubench_lib crypto ssl ekb_hdr)

install(TARGETS ekubench_lib ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(FILES "$<TARGET_FILE:ssl>" DESTINATION "${ekb_private_libdir}" RENAME libekubench_ssl.a)
install(FILES "$<TARGET_FILE:crypto>" DESTINATION "${ekb_private_libdir}" RENAME libekubench_crypto.a)
install(FILES "$<TARGET_FILE:ekb_hdr>" DESTINATION "${ekb_private_libdir}" RENAME libekubench_hdr.a)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/ekubench" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
foreach(ekb_notice IN ITEMS "${EKUBENCH_BORINGSSL_SOURCE}/NOTICE" "${EKUBENCH_BORINGSSL_SOURCE}/LICENSE")
  if(EXISTS "${ekb_notice}")
    install(FILES "${ekb_notice}" DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME LICENSE.boringssl)
    break()
  endif()
endforeach()
install(FILES "${EKUBENCH_HDR_SOURCE}/LICENSE.txt" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
        RENAME LICENSE.hdrhistogram OPTIONAL)

include(CMakePackageConfigHelpers)
set(EKB_INSTALL_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
set(EKB_INSTALL_PRIVATE_LIBDIR "${ekb_private_libdir}")
set(EKB_INSTALL_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
set(EKB_INSTALL_SANITIZE "")
if(EKUBENCH_SANITIZE)
  set(EKB_INSTALL_SANITIZE "-fsanitize=${EKUBENCH_SANITIZE}")
endif()
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/ekubenchConfig.cmake.in" "${PROJECT_BINARY_DIR}/ekubenchConfig.cmake"
  INSTALL_DESTINATION "${ekb_package_dir}"
  PATH_VARS EKB_INSTALL_LIBDIR EKB_INSTALL_PRIVATE_LIBDIR EKB_INSTALL_INCLUDEDIR)
# 0.x promises nothing from one minor version to the next.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/ekubenchConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/ekubenchConfig.cmake"
              "${PROJECT_BINARY_DIR}/ekubenchConfigVersion.cmake" DESTINATION "${ekb_package_dir}")
