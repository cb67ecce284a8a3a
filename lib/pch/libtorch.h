// Precompiled for every file that uses LibTorch: its headers cost about 15 s a file.
#pragma once
#include <ATen/ATen.h>
