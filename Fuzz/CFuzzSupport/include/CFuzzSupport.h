#ifndef C_FUZZ_SUPPORT_H
#define C_FUZZ_SUPPORT_H

#include <stdint.h>

/// Starts counting the calling thread's live bytes and processor time.
void fuzz_measure_begin(void);
/// The most bytes that were live at once since the beginning, and ends the counting. What lived before is not counted; if
/// some of it was freed meanwhile, that much more could be live unnoticed.
int64_t fuzz_measure_peak_bytes(void);
/// The processor time since the beginning, in microseconds.
int64_t fuzz_measure_microseconds(void);

#endif
