#pragma once
#include "CLinuxSignals.h"
#include "CLinuxProcess.h"
