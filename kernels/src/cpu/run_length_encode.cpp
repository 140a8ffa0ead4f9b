// Checks the arguments of run_length_encode_into, turns columns into bits and writes where they change.
#include "tundish/run_length_encode.h"

#include <algorithm>
#include <vector>

#include "arguments.h"
#include "memory.h"
#include "run_length_encode_checks.h"
#include "run_length_encode_loops.h"
#include "tundish/run_text.h"

namespace tundish {
namespace {

void check_size(std::int64_t height, std::int64_t width) {
    check_range("the height of a mask", height, 1, kMaximumRunExtent);
    check_range("the width of a mask", width, 1, kMaximumRunExtent);
}

}  // namespace

void check_run_length_encode(const RunLengths& destination, const Masks& masks) {
    check_memory("text", destination.text);
    check_memory("lengths", destination.lengths);
    check_memory("masks", masks.data);
    check_range("the masks of a batch", masks.batch, 1, INT32_MAX);
    check_size(masks.height, masks.width);
    check_range("the capacity of a text", destination.capacity, 1, std::int64_t{1} << 40);
    const Memory text{destination.text, static_cast<std::size_t>(masks.batch * destination.capacity)};
    const Memory lengths{destination.lengths, static_cast<std::size_t>(masks.batch) * sizeof(std::int64_t)};
    const Memory pixels{masks.data, static_cast<std::size_t>(masks.batch * masks.height * masks.width)};
    check_disjoint("text", text, "masks", pixels);
    check_disjoint("lengths", lengths, "masks", pixels);
    check_disjoint("text", text, "lengths", lengths);
}

namespace {

// Writes run lengths as characters, as far as there is room.
class RunWriter {
  public:
    RunWriter(std::uint8_t* text, std::int64_t capacity) : text_(text), capacity_(capacity) {}

    void add(std::int64_t run) {
        std::int64_t number = count_ > 2 ? run - previous_[count_ % 2] : run;
        previous_[count_ % 2] = run;
        ++count_;
        bool more = true;
        while (more) {
            const std::uint8_t character = take_character(number, more);
            if (length_ < capacity_) {
                text_[length_] = character;
            }
            ++length_;
        }
    }

    std::int64_t length() const { return length_; }

  private:
    std::uint8_t* text_;
    std::int64_t capacity_;
    std::int64_t length_ = 0;
    std::int64_t previous_[2] = {0, 0};
    std::size_t count_ = 0;
};

// Follows the pixels, 64 of a column at a time, and adds a run where they change.
class RunFinder {
  public:
    explicit RunFinder(RunWriter& writer) : writer_(writer) {}

    // The lowest `count` bits of `bits`, 1 to 64.
    void follow(std::uint64_t bits, std::size_t count) {
        const std::uint64_t valid = ~std::uint64_t{0} >> (64 - count);
        std::uint64_t changes = (bits ^ ((bits << 1) | last_)) & valid;
        while (changes != 0) {
            const std::int64_t change = position_ + __builtin_ctzll(changes);
            writer_.add(change - begin_);
            begin_ = change;
            changes &= changes - 1;
        }
        position_ += static_cast<std::int64_t>(count);
        last_ = (bits >> (count - 1)) & 1;
    }

    void finish() { writer_.add(position_ - begin_); }

  private:
    RunWriter& writer_;
    std::int64_t position_ = 0;
    std::int64_t begin_ = 0;  // of the run
    std::uint64_t last_ = 0;  // pixel; the first run is one of zeros
};

class MaskEncoder {
  public:
    MaskEncoder(std::int64_t height, std::int64_t width, const RunLengthEncodeLoops& loops)
        : loops_(loops),
          height_(static_cast<std::size_t>(height)),
          width_(static_cast<std::size_t>(width)),
          words_((height_ + kMaskRows - 1) / kMaskRows * kMaskStrip) {}

    void encode(const std::uint8_t* pixels, RunWriter& writer) {
        RunFinder finder(writer);
        for (std::size_t begin = 0; begin < width_; begin += kMaskStrip) {
            const std::size_t columns = std::min(kMaskStrip, width_ - begin);
            for (std::size_t row = 0; row < height_; row += kMaskRows) {
                gather(pixels + row * width_ + begin, rows_from(row), columns, words_.data() + row);
            }
            for (std::size_t c = 0; c < columns; ++c) {
                for (std::size_t row = 0; row < height_; row += kMaskRows) {
                    finder.follow(words_[row + c], rows_from(row));
                }
            }
        }
        finder.finish();
    }

  private:
    std::size_t rows_from(std::size_t row) const { return std::min(kMaskRows, height_ - row); }

    // The last columns go through a copy that is as wide as a strip.
    void gather(const std::uint8_t* pixels, std::size_t rows, std::size_t columns,
                std::uint64_t* words) const {
        if (columns == kMaskStrip) {
            loops_.gather_words(pixels, width_, rows, words);
            return;
        }
        std::uint8_t copy[kMaskRows * kMaskStrip] = {};
        for (std::size_t r = 0; r < rows; ++r) {
            std::copy_n(pixels + r * width_, columns, copy + r * kMaskStrip);
        }
        loops_.gather_words(copy, kMaskStrip, rows, words);
    }

    const RunLengthEncodeLoops& loops_;
    std::size_t height_;
    std::size_t width_;
    std::vector<std::uint64_t> words_;  // of a strip: kMaskStrip for each kMaskRows rows
};

static_assert(kMaskRows == kMaskStrip, "words of a block begin at the number of its first row");

// Reads run lengths from characters; throws where they are none.
class RunReader {
  public:
    RunReader(const RunText& text, std::int64_t pixels)
        : text_(text.data), end_(text.data + text.length), left_(pixels) {}

    bool done() const { return text_ == end_; }

    // The next run, which is checked to fit into the mask.
    std::int64_t next() {
        std::int64_t number = read_number();
        number += count_ > 2 ? previous_[count_ % 2] : 0;
        if (number < 0 || number > left_) {
            reject("a text must hold runs of 0 to the " + std::to_string(left_) + " pixels that are left",
                   std::to_string(number));
        }
        previous_[count_ % 2] = number;
        ++count_;
        left_ -= number;
        return number;
    }

    std::int64_t left() const { return left_; }

  private:
    std::int64_t read_number() {
        std::int64_t number = 0;
        for (int piece = 0; piece < kLongestNumber && text_ != end_; ++piece) {
            const std::int64_t value = *text_++ - kFirstCharacter;
            if (value < 0 || value >= 2 * kMoreFollow) {
                reject("a text must hold characters from 48 to 111", std::to_string(value + kFirstCharacter));
            }
            number += (value & kPieceMask) << (kPieceBits * piece);
            if ((value & kMoreFollow) == 0) {
                const bool negative = (value & kPieceSign) != 0;
                return negative ? number - (std::int64_t{1} << (kPieceBits * (piece + 1))) : number;
            }
        }
        reject("a text must hold numbers of at most 7 characters", "one that goes on");
    }

    const std::uint8_t* text_;
    const std::uint8_t* end_;
    std::int64_t left_;
    std::int64_t previous_[2] = {0, 0};
    std::size_t count_ = 0;
};

void check_text(const RunText& text, std::int64_t pixels) {
    RunReader reader(text, pixels);
    while (!reader.done()) {
        reader.next();
    }
    if (reader.left() != 0) {
        reject("a text must cover all pixels of its mask", std::to_string(reader.left()) + " too few");
    }
}

void decode(const RunText& text, std::uint8_t* mask, std::int64_t height, std::int64_t width) {
    RunReader reader(text, height * width);
    std::uint8_t value = 0;
    for (std::int64_t position = 0; !reader.done(); value ^= 1) {
        const std::int64_t end = position + reader.next();
        for (; position < end; ++position) {
            mask[position % height * width + position / height] = value;
        }
    }
}

}  // namespace

void run_length_encode_into(const RunLengths& destination, const Masks& masks, Isa isa) {
    check_run_length_encode(destination, masks);
    check_isa(isa);

    MaskEncoder encoder(masks.height, masks.width, run_length_encode_loops(isa));
    for (std::int64_t i = 0; i < masks.batch; ++i) {
        RunWriter writer(destination.text + i * destination.capacity, destination.capacity);
        encoder.encode(masks.data + i * masks.height * masks.width, writer);
        destination.lengths[i] = writer.length();
    }
}

void run_length_decode_into(const MaskDestination& destination, const RunText* texts) {
    check_memory("destination", destination.data);
    check_range("the masks of a batch", destination.batch, 1, INT32_MAX);
    check_size(destination.height, destination.width);
    const std::int64_t pixels = destination.height * destination.width;
    const Memory memory{destination.data, static_cast<std::size_t>(destination.batch * pixels)};
    for (std::int64_t i = 0; i < destination.batch; ++i) {
        check_memory("a text", texts[i].data);
        check_disjoint("destination", memory, "a text", {texts[i].data, texts[i].length});
        check_text(texts[i], pixels);
    }
    for (std::int64_t i = 0; i < destination.batch; ++i) {
        decode(texts[i], destination.data + i * pixels, destination.height, destination.width);
    }
}

}  // namespace tundish
