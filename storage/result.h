// Errors of the event log, as values. Nothing in storage/ throws across its border.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace tokenrelay::storage {

enum class Errc {
  not_found,    // no such stream, or no such run
  gone,         // the stream existed: deleted or expired within the last 24 h
  key_reused,   // the idempotency key was used with another body
  log_stalled,  // the log cannot commit now (disk full, locked); it keeps trying
  log_failed,   // a sync failed: this log takes no more appends until the next start
  locked,       // another process holds the data directory
  bad_version,  // the directory's format is unknown to this program
  corrupt,      // a checksum of stored bytes is wrong
  io            // any other error of the disk or SQLite
};

struct [[nodiscard]] Error {
  Errc code;
  std::string message;  // for the operator's log; never shown to clients
};

template <typename T>
using Result = tl::expected<T, Error>;

}  // namespace tokenrelay::storage
