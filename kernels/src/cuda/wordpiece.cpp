// Keeps a tokenizer's tables on a GPU; checks the arguments of the CUDA form of wordpiece_into, sends the
// texts and launches the kernel.
#include "tundish/cuda/wordpiece.h"

#include <algorithm>
#include <string>
#include <vector>

#include "../cpu/arguments.h"
#include "../cpu/memory.h"
#include "device.h"
#include "wordpiece_plan.h"

namespace tundish::cuda {
namespace {}  // namespace

struct WordPiece::State {
    const Device::State* device = nullptr;
    const tundish::WordPiece* tokenizer = nullptr;
    DevicePointer memory = 0;
    TokenizerTables tables{};

    ~State();
};

WordPiece::State::~State() {
    const Driver& driver = *device->driver;
    if (memory != 0 && driver.context_push(device->context) == kSuccess) {
        driver.context_synchronize();
        driver.memory_free(memory);
        Context popped;
        driver.context_pop(&popped);
    }
}

WordPiece::WordPiece(const Device& device, const tundish::WordPiece& tokenizer)
    : state_(std::make_unique<State>()) {
    State& state = *state_;
    state.device = &device.state();
    state.tokenizer = &tokenizer;
    const Driver& driver = *state.device->driver;
    const CurrentContext current(driver, state.device->context);
    std::vector<std::uint32_t> host(table_bytes(tokenizer) / sizeof(std::uint32_t));
    const std::size_t bytes = host.size() * sizeof(std::uint32_t);
    check(driver, driver.memory_allocate(&state.memory, bytes),
          "the tokenizer's tables cannot be had on the GPU");
    const auto there = static_cast<std::uintptr_t>(state.memory);
    state.tables = write_tables(tokenizer, host.data(), reinterpret_cast<const void*>(there));
    check(driver, driver.copy_to_device(state.memory, host.data(), bytes, nullptr),
          "the tokenizer's tables cannot be copied to the GPU");
    check(driver, driver.context_synchronize(), "the copy of the tokenizer's tables failed");
}

WordPiece::~WordPiece() = default;

namespace {

template <class Integer>
void check_destination(const TokenBatch<Integer>& destination) {
    const PackDestination<Integer>& rows = destination.rows;
    check_range("the rows of the destination", static_cast<std::int64_t>(rows.batch), 1, INT32_MAX);
    check_range("the length of the destination", static_cast<std::int64_t>(rows.length), 1, INT32_MAX);
    check_memory("ids", rows.ids);
    check_memory("lengths", destination.lengths);
    check_memory("truncated", destination.truncated);
    const std::size_t size = rows.batch * rows.length;
    const Memory arrays[] = {memory_of(rows.ids, size), memory_of(rows.mask, size),
                             memory_of(rows.type_ids, size), memory_of(destination.lengths, rows.batch),
                             memory_of(destination.truncated, rows.batch)};
    for (const Memory* left = arrays; left != std::end(arrays); ++left) {
        if (std::any_of(left + 1, std::end(arrays),
                        [&](const Memory& right) { return overlap(*left, right); })) {
            reject("the arrays of the destination must lie apart", "memory that overlaps");
        }
    }
}

// The options with the maximum spelt out.
WordPieceOptions read_options(const WordPieceOptions& options, std::size_t length) {
    if (options.strategy != WordPieceOptions::Strategy::longest_first) {
        reject("strategy must be longest_first on a GPU", "another");
    }
    const auto most = static_cast<std::int64_t>(length);
    if (options.maximum_tokens > most) {
        reject("maximum_tokens must be at most the length of the destination (" + std::to_string(most) + ")",
               std::to_string(options.maximum_tokens));
    }
    WordPieceOptions read = options;
    read.maximum_tokens = options.maximum_tokens < 0 ? most : options.maximum_tokens;
    return read;
}

void check_workspace(const TextView* texts, const TextView* pairs, std::size_t count, std::size_t length,
                     const Workspace::State& workspace) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
        bytes += texts[i].size + (pairs == nullptr ? 0 : pairs[i].size);
    }
    const std::size_t needed = wordpiece_workspace_bytes(pairs == nullptr ? count : 2 * count, bytes, length);
    if (needed > workspace.bytes) {
        reject("workspace must have " + std::to_string(needed) + " bytes for these texts",
               std::to_string(workspace.bytes));
    }
}

template <class Integer>
void check_place(const TokenBatch<Integer>& destination, const Device::State& device) {
    check_on_device(device, destination.rows.ids, "destination.ids");
    if (destination.rows.mask != nullptr) {
        check_on_device(device, destination.rows.mask, "destination.mask");
    }
    if (destination.rows.type_ids != nullptr) {
        check_on_device(device, destination.rows.type_ids, "destination.type_ids");
    }
    check_on_device(device, destination.lengths, "destination.lengths");
    check_on_device(device, destination.truncated, "destination.truncated");
}

}  // namespace

template <class Integer>
std::size_t wordpiece_into(const TokenBatch<Integer>& destination, const WordPiece& tokenizer,
                           const TextView* texts, const TextView* pairs, const WordPieceOptions& options,
                           const Padding& padding, Workspace& workspace, Stream stream) {
    const PackDestination<Integer>& rows = destination.rows;
    check_destination(destination);
    check_memory("texts", texts);
    const WordPieceOptions read = read_options(options, rows.length);
    Workspace::State& memory = workspace.state();
    const WordPiece::State& state = tokenizer.state();
    if (state.device->context != memory.device->context) {
        reject("tokenizer must be on the workspace's GPU (" + std::to_string(memory.device->ordinal) + ")",
               "one on GPU " + std::to_string(state.device->ordinal));
    }
    check_workspace(texts, pairs, rows.batch, rows.length, memory);
    const Device::State& device = *memory.device;
    const Driver& driver = *device.driver;
    const CurrentContext current(driver, device.context);
    check_place(destination, device);

    check(driver, driver.event_synchronize(memory.copied), "the work before this call failed");
    WordPiecePlan plan =
        write_plan({*state.tokenizer, state.tables, texts, pairs, rows.batch, read}, memory.host,
                   reinterpret_cast<void*>(static_cast<std::uintptr_t>(memory.memory)), memory.bytes);
    plan.arguments.batch = {rows.ids, rows.mask, rows.type_ids, sizeof(Integer),
                            static_cast<std::int64_t>(rows.length)};
    plan.arguments.lengths = destination.lengths;
    plan.arguments.truncated = destination.truncated;
    plan.arguments.pad_id = padding.id;
    plan.arguments.pad_type_id = padding.type_id;
    plan.arguments.pad_left = padding.left;
    check(driver, driver.copy_to_device(memory.memory, memory.host, plan.bytes, stream),
          "the texts cannot be copied to the GPU");
    check(driver, driver.event_record(memory.copied, stream), "the copy of the texts cannot be followed");
    launch(device, device.wordpiece, {static_cast<unsigned>(rows.batch), 1, 1}, {kWordPieceThreads, 1, 1},
           &plan.arguments, stream, "wordpiece cannot be launched");
    return plan.on_cpu;
}

template std::size_t wordpiece_into(const TokenBatch<std::int32_t>&, const WordPiece&, const TextView*,
                                    const TextView*, const WordPieceOptions&, const Padding&, Workspace&,
                                    Stream);
template std::size_t wordpiece_into(const TokenBatch<std::int64_t>&, const WordPiece&, const TextView*,
                                    const TextView*, const WordPieceOptions&, const Padding&, Workspace&,
                                    Stream);

}  // namespace tundish::cuda
