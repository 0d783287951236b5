# The style.* tests. They look at the sources, not at the build, so one preset (release) is enough.
# 77 from a script means that its tool is not installed: skipped, visibly.

get_property(ekb_lines GLOBAL PROPERTY EKB_LAYER_LINES)
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/layers.txt" CONTENT "${ekb_lines}")

set(ekb_scripts "${PROJECT_SOURCE_DIR}/scripts")
add_test(NAME style.format COMMAND "${ekb_scripts}/check-format.sh")
add_test(NAME style.shellcheck COMMAND "${ekb_scripts}/check-shell.sh")
add_test(NAME style.docs COMMAND "${ekb_scripts}/check-docs.sh")
add_test(NAME style.layers COMMAND "${ekb_scripts}/check-layers.sh"
                                   "${PROJECT_BINARY_DIR}/generated/layers.txt")
# clang-tidy is run by hand, on build/dev: its analyzer believes assertions only where they are compiled in.
set_tests_properties(style.format style.shellcheck style.layers
                     PROPERTIES LABELS style SKIP_RETURN_CODE 77 TIMEOUT 900)
