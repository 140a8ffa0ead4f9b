// The inner loops of attention; compiled once per instruction set, into the namespace TUNDISH_ISA.
//
// Nothing here may come from the C++ library but plain declarations (see row_kernels.cpp).
#include "attention_loops.h"

#include <math.h>
#include <string.h>

#include "sixteen.h"

namespace tundish {
namespace TUNDISH_ISA {
namespace {

// Rows and sixteens of columns of a product that registers hold the sums of.
constexpr std::size_t kAttentionRows = 6;
#if defined(__AVX512BW__)
constexpr std::size_t kAttentionColumns = 4;
#else
constexpr std::size_t kAttentionColumns = 1;
#endif

constexpr std::size_t sixteens(std::size_t count) { return (count + kSixteen - 1) / kSixteen; }

// Rows of numbers, `step` apart.
struct Rows {
    const float* data;
    std::size_t step;
};

// Writes some columns of rows of left × right; `right` is [depth, columns].
template <std::size_t kRows, std::size_t kColumns>
void multiply_tile(Rows left, Rows right, std::size_t depth, float* to, std::size_t step) {
    Sixteen sums[kRows][kColumns];
    for (auto& row : sums) {
        for (Sixteen& each : row) {
            each = Sixteen::of(0.0F);
        }
    }
    for (std::size_t k = 0; k < depth; ++k) {
        Sixteen columns[kColumns];
        for (std::size_t j = 0; j < kColumns; ++j) {
            columns[j] = Sixteen::load(right.data + k * right.step + j * kSixteen);
        }
        for (std::size_t i = 0; i < kRows; ++i) {
            const Sixteen same = Sixteen::of(left.data[i * left.step + k]);
            for (std::size_t j = 0; j < kColumns; ++j) {
                sums[i][j] = fma(same, columns[j], sums[i][j]);
            }
        }
    }
    for (std::size_t i = 0; i < kRows; ++i) {
        for (std::size_t j = 0; j < kColumns; ++j) {
            sums[i][j].store(to + i * step + j * kSixteen);
        }
    }
}

// Writes columns from `first` on, as many at once as registers allow, and then half as many.
template <std::size_t kRows, std::size_t kColumns>
void multiply_columns(Rows left, Rows right, std::size_t depth, float* to, std::size_t step,
                      std::size_t columns, std::size_t first) {
    for (; first + kColumns <= columns; first += kColumns) {
        const std::size_t at = first * kSixteen;
        multiply_tile<kRows, kColumns>(left, {right.data + at, right.step}, depth, to + at, step);
    }
    if constexpr (kColumns > 1) {
        multiply_columns<kRows, kColumns / 2>(left, right, depth, to, step, columns, first);
    }
}

// Some rows of left × right, as many sixteens of columns wide as there are.
void multiply_some(std::size_t rows, Rows left, Rows right, std::size_t depth, float* to, std::size_t step,
                   std::size_t columns) {
    if (rows == kAttentionRows) {
        multiply_columns<kAttentionRows, kAttentionColumns>(left, right, depth, to, step, columns, 0);
        return;
    }
    for (std::size_t i = 0; i < rows; ++i) {
        multiply_columns<1, kAttentionColumns>({left.data + i * left.step, left.step}, right, depth,
                                               to + i * step, step, columns, 0);
    }
}

// e^x for x from -87 to 0, below that e^-87; NaN for NaN. As tundish/exponential.h has it.
Sixteen exponential_of(Sixteen x) {
    constexpr float kFactors[] = {0x1.123a6cp-7F, 0x1.5558f4p-5F, 0x1.55549p-3F, 0x1.fffffcp-2F};
    const Sixteen round = Sixteen::of(12582912.0F);  // 1.5 × 2^23
    const Sixteen above = greater(Sixteen::of(-87.0F), x);
    const Sixteen n = subtract(fma(above, Sixteen::of(0x1.715476p+0F), round), round);
    const Sixteen high = fma(n, Sixteen::of(-0x1.62e43p-1F), above);
    const Sixteen r = fma(n, Sixteen::of(0x1.05c61p-29F), high);
    Sixteen p = Sixteen::of(0x1.6a2352p-10F);
    for (const float factor : kFactors) {
        p = fma(p, r, Sixteen::of(factor));
    }
    return scaled(add(fma(multiply(r, r), p, r), Sixteen::of(1.0F)), n);
}

// What tokens that do not count have added to their products, and their weights are multiplied by.
struct AttentionMask {
    float* below;  // 0 or -infinity
    float* kept;   // 1 or 0
};

// Makes weights of a row of products; returns what they add up to.
float weigh(float* products, float scale, const AttentionMask& mask, std::size_t padded) {
    const Sixteen factor = Sixteen::of(scale);
    Sixteen highest = Sixteen::of(-INFINITY);
    for (std::size_t i = 0; i < padded; i += kSixteen) {
        const Sixteen product = fma(Sixteen::load(products + i), factor, Sixteen::load(mask.below + i));
        product.store(products + i);
        highest = greater(product, highest);
    }
    const Sixteen most = Sixteen::of(greatest(highest));
    Sixteen sums = Sixteen::of(0.0F);
    for (std::size_t i = 0; i < padded; i += kSixteen) {
        const Sixteen power = exponential_of(subtract(Sixteen::load(products + i), most));
        const Sixteen weight = multiply(power, Sixteen::load(mask.kept + i));
        weight.store(products + i);
        sums = add(sums, weight);
    }
    return sum(sums);
}

// Where the parts of `attend`'s scratch memory begin, each of whole sixteens.
struct Workspace {
    Workspace(std::size_t tokens, std::size_t size)
        : padded_tokens(sixteens(tokens) * kSixteen),
          padded_size(sixteens(size) * kSixteen),
          values(size * padded_tokens),
          below(values + tokens * padded_size),
          kept(below + padded_tokens),
          products(kept + padded_tokens),
          averages(products + kAttentionRows * padded_tokens),
          end(averages + kAttentionRows * padded_size) {}

    std::size_t padded_tokens;
    std::size_t padded_size;
    // Keys come first: [size, padded_tokens].
    std::size_t values;  // [tokens, padded_size]
    std::size_t below;   // [padded_tokens], of the mask, as `kept`
    std::size_t kept;
    std::size_t products;  // [kAttentionRows, padded_tokens]
    std::size_t averages;  // [kAttentionRows, padded_size]
    std::size_t end;
};

std::size_t scratch_of(std::size_t tokens, std::size_t size) { return Workspace(tokens, size).end; }

// Whether any token counts.
bool write_mask(const AttentionHead& head, std::size_t padded_tokens, const AttentionMask& mask) {
    bool any = false;
    for (std::size_t token = 0; token < padded_tokens; ++token) {
        const bool counts = token < head.tokens && (head.mask == nullptr || head.mask[token] != 0);
        any = any || counts;
        mask.below[token] = counts ? 0.0F : -INFINITY;
        mask.kept[token] = counts ? 1.0F : 0.0F;
    }
    return any;
}

// Lays keys side by side, number by number, and values one below the other.
void lay_out(const AttentionHead& head, const Workspace& places, float* keys, float* values) {
    for (std::size_t token = 0; token < places.padded_tokens; ++token) {
        for (std::size_t i = 0; i < head.size; ++i) {
            keys[i * places.padded_tokens + token] =
                token < head.tokens ? head.keys[token * head.step + i] : 0.0F;
        }
    }
    for (std::size_t token = 0; token < head.tokens; ++token) {
        for_sixteens(head.size, [&](std::size_t i, std::size_t count) {
            load_sixteen(head.values + token * head.step + i, count)
                .store(values + token * places.padded_size + i);
        });
    }
}

void attend(const AttentionHead& head, float* scratch) {
    const Workspace places(head.tokens, head.size);
    const AttentionMask mask{scratch + places.below, scratch + places.kept};
    if (!write_mask(head, places.padded_tokens, mask)) {
        for (std::size_t token = 0; token < head.tokens; ++token) {
            memset(head.output + token * head.output_step, 0, head.size * sizeof(float));
        }
        return;
    }
    const Rows keys{scratch, places.padded_tokens}, values{scratch + places.values, places.padded_size};
    lay_out(head, places, scratch, scratch + places.values);
    float* const products = scratch + places.products;
    float* const averages = scratch + places.averages;
    for (std::size_t first = 0; first < head.tokens; first += kAttentionRows) {
        const std::size_t left = head.tokens - first, rows = left < kAttentionRows ? left : kAttentionRows;
        const Rows queries{head.queries + first * head.step, head.step};
        multiply_some(rows, queries, keys, head.size, products, places.padded_tokens,
                      places.padded_tokens / kSixteen);
        Sixteen factors[kAttentionRows];
        for (std::size_t i = 0; i < rows; ++i) {
            float* const row = products + i * places.padded_tokens;
            factors[i] = Sixteen::of(1.0F / weigh(row, head.scale, mask, places.padded_tokens));
        }
        multiply_some(rows, {products, places.padded_tokens}, values, head.tokens, averages,
                      places.padded_size, places.padded_size / kSixteen);
        for (std::size_t i = 0; i < rows; ++i) {
            float* const to = head.output + (first + i) * head.output_step;
            for_sixteens(head.size, [&](std::size_t j, std::size_t count) {
                const Sixteen average = Sixteen::load(averages + i * places.padded_size + j);
                store(multiply(average, factors[i]), to + j, count);
            });
        }
    }
}

}  // namespace

extern const AttentionLoops kAttentionLoops = {scratch_of, attend};

}  // namespace TUNDISH_ISA
}  // namespace tundish
