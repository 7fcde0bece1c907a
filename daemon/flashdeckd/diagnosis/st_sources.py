"""Places in a bootloader's source, by callback, constant and file, for ST's classic class and for USBX.

The names are those of the published code: stm32-mw-usb-device with what CubeMX writes for it, and the
USBX applications of the STM32Cube packages. Samples and releases differ in some: the classic Read may be Flash_If_Read
in usbd_dfu_flash.c.
"""

READ = (
    "in ST's classic class, let Read (MEM_If_Read_FS in usbd_dfu_if.c) copy Len bytes from src to dest and return "
    "dest; ST's template returns USBD_OK there, which is NULL. In USBX, let ux_slave_class_dfu_parameter_read "
    "(USBD_DFU_Read or DFU_Read in ux_device_dfu_media.c) copy the bytes, set *actual_length and return UX_SUCCESS"
)
"""A Read that works."""
BOUND = (
    "answer an address outside the flash with an error (NULL in the classic class, UX_ERROR in USBX), never with a "
    "read of it"
)
"""A Read that is bounded; goes behind READ."""
UPLOAD_LENGTH = (
    "USBX sends what ux_slave_class_dfu_parameter_read (USBD_DFU_Read or DFU_Read in ux_device_dfu_media.c) leaves in "
    "*actual_length. ST's classic class sends min(wLength, USBD_DFU_XFER_SIZE) in DFU_Upload (usbd_dfu.c), whatever "
    "Read does: there, see that the descriptor says that same constant"
)
"""The place that decides how many bytes a read is answered with."""
ERASE = (
    "in ST's classic class that is Erase (MEM_If_Erase_FS in usbd_dfu_if.c); in ST's USBX sample for the STM32H5 it "
    "is DFU_Erase (ux_device_dfu_media.c), which always passes FLASH_BANK_1"
)
"""The erase callback."""
REFUSE_ADDRESSES = (
    "in ST's classic class in MEM_If_Erase_FS and MEM_If_Write_FS (usbd_dfu_if.c), in USBX where "
    "ux_slave_class_dfu_parameter_write decodes block numbers and commands (ux_device_dfu_media.c)"
)
"""The place where an address may still be refused before the flash is changed."""
TRANSFER_SIZE = (
    "in ST's classic class USBD_DFU_XFER_SIZE (usbd_conf.h) is descriptor, buffer and multiplier of block numbers in "
    "one. In USBX they are three things that must be equal: USBD_DFU_XFER_SIZE (ux_device_descriptors.h) is only what "
    "the descriptor says, UX_SLAVE_REQUEST_CONTROL_MAX_LENGTH (ux_user.h) is what ST's sample multiplies block "
    "numbers with, and RX_Data (ux_device_dfu_media.c) is its buffer. Change all of them together: where they differ, "
    "blocks are refused, land at other addresses, or overrun the buffer"
)
"""The constant that wTransferSize is made of."""
ATTRIBUTES = (
    "USBD_DFU_BM_ATTRIBUTES = 0x0B, in usbd_conf.h for ST's classic class (its older releases have the number itself "
    "in USBD_DFU_CfgDesc, usbd_dfu.c), in ux_device_descriptors.h for USBX"
)
"""bmAttributes, with the value that suits both classes."""
FUNCTIONAL = (
    "it is the end of USBD_DFU_CfgDesc (usbd_dfu.c) in ST's classic class, and of USBD_FrameWork_DFUDesc "
    "(ux_device_descriptors.c) in its USBX applications"
)
"""The DFU functional descriptor."""
CONFIGURATION_LENGTH = (
    "USB_DFU_CONFIG_DESC_SIZ in the classic class; USBX looks for the descriptor in what "
    "ux_slave_class_dfu_parameter_framework points to, as long as ux_slave_class_dfu_parameter_framework_length says"
)
"""The place that says how long a configuration with that descriptor is."""
PROTOCOL = (
    "it is in USBD_DFU_IF_DESC (usbd_dfu.h) in ST's classic class, and what USBD_FrameWork_DFUDesc "
    "(ux_device_descriptors.c) hands to __USBD_FRAMEWORK_SET_IF in its USBX applications"
)
"""bInterfaceProtocol."""
MAP = (
    "the map is the interface's string: FLASH_DESC_STR (or pStrDesc of the media) in ST's classic class, "
    "USBD_DFU_STRING_DESC in its USBX applications (ux_device_descriptors.h)"
)
"""The memory map."""
TIMES = (
    "in ST's classic class, GetStatus (MEM_If_GetStatus_FS) fills in FLASH_PROGRAM_TIME and FLASH_ERASE_TIME: the "
    "class does the work before it has answered GETSTATUS, so 0 or 1 is honest there. In USBX, the time is in the "
    "upper 24 bits of what ux_slave_class_dfu_parameter_get_status reports; give each operation its own. ST's sample "
    "takes DFU_MEDIA_ERASE_TIME and DFU_MEDIA_PROGRAM_TIME (ux_device_dfu_media.c), Set Address included, and cuts "
    "them to eight bits"
)
"""bwPollTimeout."""
SERIAL = (
    "With ST's classic class, Get_SerialNum (usbd_desc.c) does so if it is left as it is. The USBX applications have "
    "one fixed text for all boards, USBD_SERIAL_NUMBER (ux_device_descriptors.h): put the id in its place in "
    "USBD_Get_String_Framework (ux_device_descriptors.c)"
)
"""The serial string."""
BOOT_CHECK = (
    "It is in main.c: with ST's classic class where the word at USBD_DFU_APP_DEFAULT_ADD is masked, in the USBX "
    "sample where USBD_DFU_APP_MASK is"
)
"""The bootloader's look at the application's first word."""
DETACH = (
    "ST's classic class knows only DFU mode: the application's own class (USBD_ClassTypeDef) has the interface in its "
    "configuration descriptor and takes the request in its Setup. USBX has the run-time half, but on DETACH goes over "
    "to DFU within the application: take the request in ux_device_class_dfu_parameter_custom_request (with "
    "UX_DEVICE_CLASS_DFU_CUSTOM_REQUEST_ENABLE in ux_user.h)"
)
"""The run-time interface of an application."""
STUCK = (
    "USBX stays in dfuDNBUSY for ever where the application does not call ux_device_class_dfu_state_sync (in its "
    "sample usbx_dfu_download_thread_entry, for commands that it does not know); so does ST's classic class after "
    "such a command, where USBD_DFU_EP0_TxReady (usbd_dfu.c) returns without leaving that state"
)
"""The places that may keep a device busy."""
