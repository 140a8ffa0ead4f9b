// What every operator checks its arguments with; the messages say what was expected and what came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tundish/isa.h"

namespace tundish {

// Throws std::invalid_argument.
[[noreturn]] void reject(const std::string& expected, const std::string& got);

// "name[index]".
std::string element(const char* name, std::size_t index);

// Short, and exact where it matters: std::to_string would print a tiny number as zero.
std::string text(double value);

void check_range(const std::string& name, std::int64_t value, std::int64_t minimum, std::int64_t maximum);

// Rejects an instruction set that this machine does not run.
void check_isa(Isa isa);

}  // namespace tundish
