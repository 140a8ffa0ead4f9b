// The checks that operators share.
#include "arguments.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <vector>

namespace tundish {

void reject(const std::string& expected, const std::string& got) {
    throw std::invalid_argument(expected + ", got " + got);
}

std::string element(const char* name, std::size_t index) {
    return std::string(name) + "[" + std::to_string(index) + "]";
}

std::string text(double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%g", value);
    return buffer;
}

void check_range(const std::string& name, std::int64_t value, std::int64_t minimum, std::int64_t maximum) {
    if (value < minimum || value > maximum) {
        reject(name + " must be between " + std::to_string(minimum) + " and " + std::to_string(maximum),
               std::to_string(value));
    }
}

void check_isa(Isa isa) {
    const std::vector<Isa> isas = available_isas();
    if (std::find(isas.begin(), isas.end(), isa) == isas.end()) {
        reject("isa must be available on this machine", isa_name(isa));
    }
}

}  // namespace tundish
