/*
 * Breathing light on LED1 (PB0) of a NUCLEO-H563ZI.
 *
 * SysTick interrupts 32000 times a second. Each interrupt is one step of a first-order sigma-delta modulator, which
 * turns a 16-bit brightness into a stream of on and off; each 32nd step takes the next brightness from the waveform.
 */

#include "stm32h563.h"
#include "version.h"
#include "waveforms.h"

#define STEPS_PER_SECOND 32000u
#define STEPS_PER_SAMPLE 32u
#define LED_PIN 0u

/* Kept by the linker script: what the bootloader, or a look at the flash, can tell this build by. */
__attribute__((section(".version"), used)) static const char version[] = VERSION;

static struct {
    uint32_t steps_left; /* until the next sample */
    uint32_t waveform;
    uint32_t sample;
    uint32_t brightness;
} light = {.steps_left = STEPS_PER_SAMPLE};

static uint32_t error; /* of the modulator: brightness not yet shown */

static void next_sample(void) {
    light.steps_left = STEPS_PER_SAMPLE;
    light.brightness = waveforms[light.waveform][light.sample];
    if (++light.sample == WAVEFORM_SAMPLES) {
        light.sample = 0;
        light.waveform = (light.waveform + 1) % WAVEFORMS;
    }
}

void systick_handler(void) {
    if (--light.steps_left == 0) {
        next_sample();
    }
    error += light.brightness;
    GPIOB_BSRR = 1u << (LED_PIN + ((error & 0x10000u) ? 0 : 16));
    error &= 0xFFFFu;
}

int main(void) {
    RCC_AHB2ENR |= RCC_AHB2ENR_GPIOBEN;
    (void)RCC_AHB2ENR; /* the port can be used only after the clock has arrived there */
    GPIOB_MODER = (GPIOB_MODER & ~(3u << (2 * LED_PIN))) | (1u << (2 * LED_PIN));

    SYST_RVR = RESET_CLOCK_HZ / STEPS_PER_SECOND - 1;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_RUN;
    for (;;) {
        __asm__ volatile("wfi");
    }
}
