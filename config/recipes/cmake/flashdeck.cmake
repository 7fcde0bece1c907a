# flashdeck.cmake: `include(flashdeck.cmake)`, and then for each program
#
#   flashdeck_flash(<target> PARTITION <name> [IMAGE <file>] [BOARDS <name|glob>...] [TIMEOUT <seconds>])
#
# makes a target flash-<target>, which builds <target> and flashes it, and a target flash for all of them. Without IMAGE
# the program itself is flashed: flashdeck reads ELF files.

find_program(FLASHDECK flashdeck REQUIRED)

function(flashdeck_flash target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PARTITION;IMAGE;TIMEOUT" "BOARDS")
  if(NOT arg_PARTITION OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "flashdeck_flash(${target}): it takes PARTITION, IMAGE, BOARDS and TIMEOUT")
  endif()
  if(NOT arg_IMAGE)
    set(arg_IMAGE $<TARGET_FILE:${target}>)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set(boards ${arg_BOARDS})
  list(TRANSFORM boards PREPEND "--board=")
  add_custom_target(flash-${target}
    COMMAND ${FLASHDECK} flash ${arg_PARTITION} ${arg_IMAGE} ${boards} --timeout ${arg_TIMEOUT} --cancel-on-exit
    COMMENT "Flashing ${arg_PARTITION}"
    USES_TERMINAL VERBATIM)
  add_dependencies(flash-${target} ${target})
  if(NOT TARGET flash)
    add_custom_target(flash)
  endif()
  add_dependencies(flash flash-${target})
endfunction()
