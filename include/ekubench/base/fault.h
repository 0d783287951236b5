// Fault points: places where a test may have the process killed, to see what is left behind.
//
// EKUBENCH_FAULT_AT=N in the environment kills the process (SIGKILL) at the N-th point that it
// comes to. Without it a point is nothing.

#ifndef EKUBENCH_BASE_FAULT_H
#define EKUBENCH_BASE_FAULT_H

// ekb_fault_point is one such place.
void ekb_fault_point(void);

#endif
