// Copies rows of tokens and fills up what is left of them.
#include "tundish/pack.h"

#include <algorithm>

#include "arguments.h"
#include "memory.h"
#include "pack_checks.h"

namespace tundish {

template <class Integer>
void check_pack(const PackDestination<Integer>& destination, const RaggedTokens& tokens) {
    const std::size_t count = destination.batch * destination.length;
    if (tokens.starts == nullptr || (tokens.size > 0 && tokens.ids == nullptr) ||
        (count > 0 && destination.ids == nullptr)) {
        reject("ids and starts must not be null", "null");
    }
    if (tokens.size > 0 && count > 0 && (tokens.type_ids == nullptr) != (destination.type_ids == nullptr)) {
        reject("type ids must be both in the source and in the destination or in neither", "one of them");
    }
    const Memory written[] = {memory_of(destination.ids, count), memory_of(destination.mask, count),
                              memory_of(destination.type_ids, count)};
    const Memory read[] = {memory_of(tokens.ids, tokens.size), memory_of(tokens.type_ids, tokens.size),
                           memory_of(tokens.starts, destination.batch + 1)};
    for (std::size_t i = 0; i < 3; ++i) {
        const bool overlaps =
            std::any_of(read, read + 3, [&](const Memory& other) { return overlap(written[i], other); }) ||
            std::any_of(written + i + 1, written + 3,
                        [&](const Memory& other) { return overlap(written[i], other); });
        if (overlaps) {
            reject("the destination must not overlap itself or the tokens", "overlapping memory");
        }
    }
}

template void check_pack(const PackDestination<std::int32_t>&, const RaggedTokens&);
template void check_pack(const PackDestination<std::int64_t>&, const RaggedTokens&);

namespace {

void check_starts(const RaggedTokens& tokens, std::size_t batch, std::size_t length) {
    if (tokens.starts[0] != 0) {
        reject("starts[0] must be 0", std::to_string(tokens.starts[0]));
    }
    for (std::size_t row = 0; row < batch; ++row) {
        const std::int64_t begin = tokens.starts[row];
        const std::int64_t end = tokens.starts[row + 1];
        if (end < begin || end > static_cast<std::int64_t>(tokens.size)) {
            reject(element("starts", row + 1) + " must be between " + std::to_string(begin) + " and " +
                       std::to_string(tokens.size),
                   std::to_string(end));
        }
        if (static_cast<std::size_t>(end - begin) > length) {
            reject("length must be at least the number of tokens of " + element("row", row) + " (" +
                       std::to_string(end - begin) + ")",
                   std::to_string(length));
        }
    }
    if (tokens.starts[batch] != static_cast<std::int64_t>(tokens.size)) {
        reject("the last of starts must be the number of tokens (" + std::to_string(tokens.size) + ")",
               std::to_string(tokens.starts[batch]));
    }
}

// Fills a row of `length`: `padding`, but for the `count` items of the source from `at`.
template <class Integer>
void write_row(Integer* row, std::size_t length, const std::int32_t* source, std::size_t at,
               std::size_t count, std::int32_t padding) {
    std::fill_n(row, at, padding);
    for (std::size_t i = 0; i < count; ++i) {
        row[at + i] = source[i];
    }
    std::fill(row + at + count, row + length, padding);
}

}  // namespace

template <class Integer>
void pack_into(const PackDestination<Integer>& destination, const RaggedTokens& tokens,
               const Padding& padding) {
    check_pack(destination, tokens);
    check_starts(tokens, destination.batch, destination.length);
    const std::size_t length = destination.length;
    for (std::size_t row = 0; row < destination.batch; ++row) {
        const auto begin = static_cast<std::size_t>(tokens.starts[row]);
        const std::size_t count = static_cast<std::size_t>(tokens.starts[row + 1]) - begin;
        const std::size_t at = padding.left ? length - count : 0;
        const std::size_t offset = row * length;
        write_row(destination.ids + offset, length, tokens.ids + begin, at, count, padding.id);
        if (destination.mask != nullptr) {
            std::fill_n(destination.mask + offset, length, Integer{0});
            std::fill_n(destination.mask + offset + at, count, Integer{1});
        }
        if (destination.type_ids != nullptr) {
            write_row(destination.type_ids + offset, length, tokens.type_ids + begin, at, count,
                      padding.type_id);
        }
    }
}

template void pack_into(const PackDestination<std::int32_t>&, const RaggedTokens&, const Padding&);
template void pack_into(const PackDestination<std::int64_t>&, const RaggedTokens&, const Padding&);

}  // namespace tundish
