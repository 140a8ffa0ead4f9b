// What an ASCII byte is to BERT's normaliser and pre-tokeniser; for the CPU and for CUDA.
#pragma once

#include <cstdint>

#include "tundish/pixel.h"

namespace tundish {

TUNDISH_HOST_DEVICE bool is_ascii_letter(std::uint8_t byte) {
    return static_cast<std::uint8_t>((byte | 0x20) - 'a') < 26;
}

TUNDISH_HOST_DEVICE bool is_ascii_digit(std::uint8_t byte) {
    return static_cast<std::uint8_t>(byte - '0') < 10;
}

TUNDISH_HOST_DEVICE bool is_ascii_whitespace(std::uint8_t byte) {
    return byte == ' ' || static_cast<std::uint8_t>(byte - '\t') < 5;
}

// All that can be seen and is no letter or digit.
TUNDISH_HOST_DEVICE bool is_ascii_punctuation(std::uint8_t byte) {
    return static_cast<std::uint8_t>(byte - '!') < 94 && !is_ascii_letter(byte) && !is_ascii_digit(byte);
}

// Removed where text is cleaned: all control characters but tab and the ends of lines.
TUNDISH_HOST_DEVICE bool is_ascii_removed(std::uint8_t byte) {
    return (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F;
}

TUNDISH_HOST_DEVICE std::uint8_t ascii_lowercase(std::uint8_t byte) {
    return static_cast<std::uint8_t>(byte - 'A') < 26 ? static_cast<std::uint8_t>(byte + 0x20) : byte;
}

}  // namespace tundish
