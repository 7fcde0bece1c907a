/* From reset to main(): the vector table, and memory as C expects it. No C library is linked. */

#include "stm32h563.h"

extern uint32_t __stack_top[];
extern uint32_t __data_load[], __data_start[], __data_end[];
extern uint32_t __bss_start[], __bss_end[];

int main(void);
void systick_handler(void);
void reset_handler(void);

typedef void (*handler)(void);

static void default_handler(void) {
    for (;;) {
        __asm__ volatile("wfi");
    }
}

/* The first word is the initial stack pointer; the rest are addresses of handlers. */
__attribute__((section(".vectors"), used)) static const union {
    uint32_t *stack;
    handler handler;
} vectors[16 + DEVICE_INTERRUPTS] = {
    [0] = {.stack = __stack_top},
    [1] = {.handler = reset_handler},
    [2 ... 7] = {.handler = default_handler}, /* NMI, hard, memory, bus, usage and secure fault */
    /* 8 to 10 are reserved. */
    [11 ... 12] = {.handler = default_handler}, /* SVCall, debug monitor */
    /* 13 is reserved. */
    [14] = {.handler = default_handler}, /* PendSV */
    [15] = {.handler = systick_handler},
    [16 ... 16 + DEVICE_INTERRUPTS - 1] = {.handler = default_handler},
};

void reset_handler(void) {
    /* The bootloader's vectors are still in force; an interrupt from here on is ours. */
    SCB_VTOR = (uint32_t)vectors;
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = __bss_start; to < __bss_end;) {
        *to++ = 0;
    }
    __asm__ volatile("dsb\n\tisb");
    main();
    default_handler();
}
