/* The few registers of the STM32H563 that this application uses (reference manual RM0481), non-secure addresses. */

#ifndef STM32H563_H
#define STM32H563_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* Interrupts of the device, behind the 16 entries of the Armv8-M core. */
#define DEVICE_INTERRUPTS 131

/* After reset the core runs from HSI: 64 MHz, divided by 2. */
#define RESET_CLOCK_HZ 32000000u

/* Reset and clock control. */
#define RCC_AHB2ENR REGISTER(0x44020C8C)
#define RCC_AHB2ENR_GPIOBEN (1u << 1)

/* Port B. MODER has two bits a pin: 01 is an output. BSRR sets with its lower half and resets with its upper half. */
#define GPIOB_MODER REGISTER(0x42020400)
#define GPIOB_BSRR REGISTER(0x42020418)

/* The core's own timer and the address of the vector table (Armv8-M Architecture Reference Manual). */
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
#define SYST_CSR_RUN 7u /* count, raise the interrupt, use the core's clock */
#define SCB_VTOR REGISTER(0xE000ED08)

#endif
