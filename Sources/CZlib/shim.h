// The system's zlib: zlib1g-dev on Debian and Ubuntu, part of the system on macOS.
#pragma once
#include <zlib.h>
