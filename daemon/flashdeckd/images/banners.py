"""Names of operating systems, libraries and compilers whose versions stand in firmware beside its own. Pure.

To add one, add a line. Frameworks whose version is the firmware's own, as MicroPython and CircuitPython, are not here.
"""

import re

_NAMES = (
    "Arm Compiler",
    "arm-none-eabi-gcc",
    "armcc",
    "Azure RTOS",
    "BearSSL",
    "BTstack",
    "ChibiOS",
    "cJSON",
    "clang",
    "CMSIS",
    "CMSIS-DAP",
    "CMSIS-DSP",
    "CMSIS-RTOS",
    "CMSIS-RTOS2",
    "Contiki",
    "Contiki-NG",
    "CycloneTCP",
    "deflate",
    "embOS",
    "Embassy",
    "emWin",
    "eCos",
    "FatFs",
    "FileX",
    "FreeRTOS",
    "FreeRTOS+TCP",
    "FreeType",
    "GCC",
    "GUIX",
    "HAL",
    "IAR",
    "inflate",
    "Keil",
    "LevelX",
    "libc",
    "libopencm3",
    "libpng",
    "LibTomCrypt",
    "littlefs",
    "LiteOS",
    "LUFA",
    "lwIP",
    "LVGL",
    "mbed OS",
    "mbed-os",
    "mbed TLS",
    "mbedTLS",
    "MCUboot",
    "Micrium",
    "micro-ecc",
    "miniz",
    "Mongoose",
    "Mynewt",
    "nanopb",
    "NetX",
    "NetX Duo",
    "newlib",
    "nRF Connect SDK",
    "nRF5 SDK",
    "NuttX",
    "OpenBLT",
    "OpenSSL",
    "OpenThread",
    "PX5",
    "picolibc",
    "PolarSSL",
    "RIOT",
    "RT-Thread",
    "RTX",
    "RTX5",
    "rustc",
    "SEGGER",
    "SoftDevice",
    "SPIFFS",
    "SQLite",
    "STM32 HAL",
    "STM32Cube",
    "SystemView",
    "Thread Operating System",
    "ThreadX",
    "TinyCrypt",
    "tinycbor",
    "TinyUSB",
    "TouchGFX",
    "uC/FS",
    "uC/OS",
    "uC/OS-II",
    "uC/OS-III",
    "uC/TCP-IP",
    "uC/USB",
    "uIP",
    "USBX",
    "VxWorks",
    "wolfMQTT",
    "wolfSSL",
    "Zephyr",
    "zlib",
)
_BANNER = re.compile(
    rb"(?<![0-9A-Za-z_-])(?:"
    + b"|".join(re.escape(name.encode()) for name in _NAMES)
    + rb")(?![0-9A-Za-z_]|-(?![vV]?[0-9]|$))",  # my-zephyr, zephyr-pump and mbed_pump are names of somebody's own
    re.IGNORECASE,
)
LOOKED_BACK = 96
"""Bytes before a version that are looked at."""
_SENTENCE = re.compile(rb"[^\x20-\x2b\x2d-\x3a\x3c-\x7b\x7d-\x7e]")
"""Ends a sentence: everything that cannot be printed, a comma, a semicolon, a bar."""


def is_banner(before: bytes) -> bool:
    """Tell whether a version is somebody else's, by the bytes before it, of which the last `LOOKED_BACK` count."""
    sentence = _SENTENCE.split(before[-LOOKED_BACK:])[-1]
    return _BANNER.search(sentence) is not None
