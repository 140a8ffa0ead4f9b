// The orders of threads and blocks by name, for the command lines of the drivers.
#pragma once

#include <cstring>

#include "simt.h"

inline bool set_order(const char* name) {
    if (std::strcmp(name, "ascending") == 0) {
        simt::set_order(simt::Order::ascending);
    } else if (std::strcmp(name, "descending") == 0) {
        simt::set_order(simt::Order::descending);
    } else if (std::strcmp(name, "shuffled") == 0) {
        simt::set_order(simt::Order::shuffled, 1);
    } else {
        return false;
    }
    return true;
}
