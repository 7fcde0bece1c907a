/*
 * Twelve breaths of 4096 samples: a raised sine with a ripple of the given order and depth on it, squared.
 *
 * The compiler works the sines out; the macros only count from 0 to 4095.
 */

#include "waveforms.h"

#define TURN(i) (6.283185307179586 * (i) / WAVEFORM_SAMPLES)
#define LEVEL(i, order, depth) (0.5 - (0.5 - (depth)) * __builtin_cos(TURN(i)) - (depth) * __builtin_cos(TURN(i) * (order)))
#define SAMPLE(i, order, depth) (uint16_t)(65535.0 * __builtin_pow(LEVEL(i, order, depth), 2.0) + 0.5)

#define X4(i, ...) SAMPLE(i, __VA_ARGS__), SAMPLE(i + 1, __VA_ARGS__), SAMPLE(i + 2, __VA_ARGS__), SAMPLE(i + 3, __VA_ARGS__)
#define X16(i, ...) X4(i, __VA_ARGS__), X4(i + 4, __VA_ARGS__), X4(i + 8, __VA_ARGS__), X4(i + 12, __VA_ARGS__)
#define X64(i, ...) X16(i, __VA_ARGS__), X16(i + 16, __VA_ARGS__), X16(i + 32, __VA_ARGS__), X16(i + 48, __VA_ARGS__)
#define X256(i, ...) X64(i, __VA_ARGS__), X64(i + 64, __VA_ARGS__), X64(i + 128, __VA_ARGS__), X64(i + 192, __VA_ARGS__)
#define X1024(i, ...) \
    X256(i, __VA_ARGS__), X256(i + 256, __VA_ARGS__), X256(i + 512, __VA_ARGS__), X256(i + 768, __VA_ARGS__)
#define WAVEFORM(order, depth)                                                                                   \
    {X1024(0, order, depth), X1024(1024, order, depth), X1024(2048, order, depth), X1024(3072, order, depth)}

const uint16_t waveforms[WAVEFORMS][WAVEFORM_SAMPLES] = {
    WAVEFORM(2, 0.00),  WAVEFORM(3, 0.04),  WAVEFORM(5, 0.05),  WAVEFORM(7, 0.06),
    WAVEFORM(11, 0.07), WAVEFORM(13, 0.08), WAVEFORM(17, 0.09), WAVEFORM(19, 0.10),
    WAVEFORM(23, 0.11), WAVEFORM(29, 0.12), WAVEFORM(31, 0.13), WAVEFORM(37, 0.14),
};
