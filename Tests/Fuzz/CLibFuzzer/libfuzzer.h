#pragma once

#include <stddef.h>
#include <stdint.h>

/// compiler-rt's FuzzerInterface.h, which the toolchain does not install: runs the callback on inputs until a limit is
/// reached; a finding ends the process.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
