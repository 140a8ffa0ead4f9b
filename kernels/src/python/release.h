// Releases the GIL around work that is worth it.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>

namespace tundish {

// Getting the GIL back waits for whoever took it meanwhile, a server's event loop for up to a millisecond. So
// work that is shorter than that goes on with it: nobody waits longer for such work than for the Python
// around it.
class Release {
  public:
    // `nanoseconds` is about how long the work takes.
    explicit Release(std::int64_t nanoseconds) {
        if (nanoseconds >= kWorthReleasing) {
            release_.emplace();
        }
    }

  private:
    static constexpr std::int64_t kWorthReleasing = 100'000;
    std::optional<nanobind::gil_scoped_release> release_;
};

}  // namespace tundish
