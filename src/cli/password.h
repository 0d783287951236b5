// The password of a file.

#ifndef EKUBENCH_SRC_CLI_PASSWORD_H
#define EKUBENCH_SRC_CLI_PASSWORD_H

#include "ekubench/base/err.h"

// With its end. A longer line is refused, not cut.
#define EKB_PASSWORD_LEN 1024

// ekb_password_read reads the password of the file `of` into `out_password`: the first line of
// `file`, or, if that is NULL, a line from the terminal, which is asked for and not shown. A signal
// that ends the process while it waits finds the terminal as it was. The caller overwrites
// `out_password` when it is done with it, also after an error. EKB_NEED_PASSWORD if there is no
// terminal, or nothing comes from it; EKB_LIMIT if the line is too long; errors of ekb_file_read.
EKB_NODISCARD enum ekb_err ekb_password_read(char out_password[EKB_PASSWORD_LEN], const char *of,
                                             const char *file, struct ekb_fail *reterr_fail);

#endif
