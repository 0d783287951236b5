# The functions by which src/, tests/ and bench/ declare what they hold.

set_property(GLOBAL PROPERTY EKB_LAYERS "")

# ekb_setup(TARGET) gives a target of ours its language and flags. PRIVATE, so that they stay ours.
function(ekb_setup target)
  set_target_properties(
    ${target}
    PROPERTIES C_STANDARD 11
               C_STANDARD_REQUIRED ON
               C_EXTENSIONS ON # gnu11
               C_VISIBILITY_PRESET hidden)
  target_link_libraries(${target} PRIVATE ekubench::options ekubench::warnings ekubench::sanitize)
endfunction()

# ekb_add_layer(LAYER [SOURCES file...] [LAYERS layer...] [PRIVATE_LIBS lib...])
#
# Adds the static library ekb_LAYER, alias ekubench::LAYER, of src/LAYER/file..., which may use the
# other LAYERS and, for itself only, third-party PRIVATE_LIBS. Static libraries, one a layer: a call
# to a layer that is not among LAYERS does not link in that layer's tests. Without SOURCES, it adds
# an empty interface library.
function(ekb_add_layer layer)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LAYERS;PRIVATE_LIBS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ekb_add_layer(${layer}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()

  set(target ekb_${layer})
  list(TRANSFORM arg_LAYERS PREPEND "ekubench::" OUTPUT_VARIABLE layer_targets)
  if(arg_SOURCES)
    list(TRANSFORM arg_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/src/${layer}/")
    add_library(${target} STATIC ${arg_SOURCES})
    ekb_setup(${target})
    # src/ for private headers, named "<layer>/<header>".
    target_include_directories(
      ${target}
      PUBLIC "${PROJECT_SOURCE_DIR}/include"
      PRIVATE "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(${target} PUBLIC ${layer_targets} PRIVATE ${arg_PRIVATE_LIBS})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(${target} INTERFACE ${layer_targets})
  endif()
  add_library(ekubench::${layer} ALIAS ${target})

  # For EkbInstall and for scripts/check-layers.sh.
  set_property(GLOBAL APPEND PROPERTY EKB_LAYERS ${layer})
  list(JOIN arg_LAYERS " " line)
  set_property(GLOBAL APPEND_STRING PROPERTY EKB_LAYER_LINES "${layer}: ${line}\n")
endfunction()

# ekb_add_program(NAME [SOURCES file...] LAYERS layer...)
#
# Adds the executable NAME, at the top of the build directory, of src/file...; nothing without SOURCES.
function(ekb_add_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LAYERS")
  if(NOT arg_SOURCES)
    return()
  endif()
  list(TRANSFORM arg_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/src/")
  list(TRANSFORM arg_LAYERS PREPEND "ekubench::")
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  ekb_setup(${name})
  target_link_libraries(${name} PRIVATE ${arg_LAYERS} ekubench::build_info)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  set_property(GLOBAL APPEND PROPERTY EKB_PROGRAMS ${name})
endfunction()

# ekb_add_test_support([SOURCES file...] [LAYERS layer...] [LIBS lib...])
#
# Adds ekb_test_support of tests/support/file..., which every test added later links; nothing without
# SOURCES. Its headers are included as "support/x.h".
function(ekb_add_test_support)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SOURCES;LAYERS;LIBS")
  if(NOT arg_SOURCES)
    return()
  endif()
  list(TRANSFORM arg_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/tests/support/")
  list(TRANSFORM arg_LAYERS PREPEND "ekubench::")
  add_library(ekb_test_support STATIC ${arg_SOURCES})
  ekb_setup(ekb_test_support)
  target_include_directories(ekb_test_support PUBLIC "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(ekb_test_support PUBLIC ${arg_LAYERS} ekubench::criterion
                                         PRIVATE ${arg_LIBS} ekubench::test_warnings)
endfunction()

# ekb_add_test(LAYER MODULE [SERIAL] [LAYERS layer...] [LIBS lib...] [LABELS label...] [TIMEOUT seconds])
#
# Builds tests/LAYER/test_MODULE.c as test_LAYER_MODULE and registers it as LAYER.MODULE. It links
# LAYER (if there is one of that name), LAYERS, LIBS and ekb_test_support. SERIAL is for tests that
# take times or many sockets: nothing else runs beside them.
#
# A run in which some test was skipped and none failed counts as skipped, so that a missing kernel
# feature never looks like a pass.
function(ekb_add_test layer module)
  cmake_parse_arguments(PARSE_ARGV 2 arg "SERIAL" "TIMEOUT" "LAYERS;LIBS;LABELS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ekb_add_test(${layer} ${module}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(TARGET ekb_${layer})
    list(PREPEND arg_LAYERS ${layer})
  elseif(NOT arg_LAYERS)
    message(FATAL_ERROR "ekb_add_test(${layer} ${module}): no layer ${layer}, hence say LAYERS")
  endif()
  list(REMOVE_DUPLICATES arg_LAYERS)
  list(TRANSFORM arg_LAYERS PREPEND "ekubench::")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()

  set(target test_${layer}_${module})
  add_executable(${target} "${PROJECT_SOURCE_DIR}/tests/${layer}/test_${module}.c")
  ekb_setup(${target})
  # Where data files are: tests run in the build directory.
  target_compile_definitions(${target} PRIVATE "EKB_TEST_DIR=\"${PROJECT_SOURCE_DIR}/tests\"")
  target_link_libraries(
    ${target} PRIVATE $<TARGET_NAME_IF_EXISTS:ekb_test_support> ${arg_LAYERS} ${arg_LIBS}
                      ekubench::criterion ekubench::test_warnings)

  # One Criterion worker a program: ctest does the running side by side. --verbose, because otherwise
  # Criterion says nothing about skipped tests.
  set(name ${layer}.${module})
  add_test(NAME ${name} COMMAND "${PROJECT_SOURCE_DIR}/cmake/run-test.sh" $<TARGET_FILE:${target}> -j1
                                --verbose --color=never)
  set_tests_properties(
    ${name} PROPERTIES LABELS "${layer};${arg_LABELS}" RUN_SERIAL "${arg_SERIAL}" TIMEOUT "${arg_TIMEOUT}"
                       SKIP_RETURN_CODE 77)
  if(EKUBENCH_SANITIZE MATCHES "thread")
    # Criterion maps its arena where ThreadSanitizer allows nothing, and dies before the first test.
    set_tests_properties(${name} PROPERTIES DISABLED ON)
  elseif(EKUBENCH_SANITIZE)
    # abort_on_error: Criterion does not look at the exit status of a test that has passed, hence
    # would not notice a leak; it does notice a signal.
    set_tests_properties(
      ${name}
      PROPERTIES
        ENVIRONMENT
        "ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1;UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1"
    )
  endif()
endfunction()

# ekb_add_fuzz(NAME LAYERS layer... [LIBS lib...])
#
# Builds tests/fuzz/fuzz_NAME.c as fuzz/fuzz_NAME with libFuzzer. The file declares
# LLVMFuzzerTestOneInput before it defines it: no header does.
function(ekb_add_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LAYERS;LIBS")
  list(TRANSFORM arg_LAYERS PREPEND "ekubench::")
  set(target fuzz_${name})
  add_executable(${target} "${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c")
  ekb_setup(${target})
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${target} PRIVATE ${arg_LAYERS} ${arg_LIBS})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
endfunction()

# ekb_add_bench(NAME LAYERS layer... [LIBS lib...]): builds bench/bench_NAME.c as bench/bench_NAME.
function(ekb_add_bench name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LAYERS;LIBS")
  list(TRANSFORM arg_LAYERS PREPEND "ekubench::")
  set(target bench_${name})
  add_executable(${target} "${PROJECT_SOURCE_DIR}/bench/bench_${name}.c")
  ekb_setup(${target})
  target_link_libraries(${target} PRIVATE ${arg_LAYERS} ${arg_LIBS})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
endfunction()
