#ifndef WAVEFORMS_H
#define WAVEFORMS_H

#include <stdint.h>

/* One sample is one millisecond, so a waveform lasts 4.096 s. */
#define WAVEFORMS 12
#define WAVEFORM_SAMPLES 4096

/* Brightness, 0 to 65535, as the eye sees it: squared, because the eye is not linear. */
extern const uint16_t waveforms[WAVEFORMS][WAVEFORM_SAMPLES];

#endif
