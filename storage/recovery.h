// Runs between the locking of the directory and the first call: reads the journal over the segments, and gives every
// stream that a dead process left unfinished its terminal event, or the event that announces its continuation.
#pragma once

#include <map>
#include <vector>

#include "storage/database.h"
#include "storage/key_table.h"
#include "storage/log_context.h"
#include "storage/stream_rows.h"
#include "storage/stream_writes.h"
#include "storage/tidy.h"

namespace tokenrelay::storage {

struct OpenStream {
  Seq next = 1;
  uint64_t bytes = 0;  // of its events so far
};

struct Recovered {
  KeyTable<OpenStream> open;         // streams that continue
  std::vector<StreamRow> continued;  // the same, with the new run
  StreamKey next_key = 1;
  uint64_t next_row = 1;
};

class Recovery {
 public:
  Recovery(LogContext& context, Database& db, StreamWrites& writes, Tidy& tidy)
      : context_(context), db_(db), writes_(writes), tidy_(tidy) {}

  Result<Recovered> run();

 private:
  struct Known {
    bool exists = false;
    bool finished = false;
    bool damaged = false;  // events are missing: the stream ends before the gap
    Seq row_last = 0;      // of a finished stream, as its row says
    uint64_t bytes = 0;
  };

  int prepare();
  int read_counters();
  int read_journal();
  int load(StreamKey key, Known*& known);
  int take_record(const Record& record);
  int find_unmentioned();
  int settle();
  int end_damaged(StreamKey key, Known& known);
  int resume_or_end(StreamRow& row, Known& known);
  void append(StreamKey key, Seq seq, EventKind kind, const std::string& payload, Known& known);
  int count_stored();
  int keep_corrupt_rows();
  tl::unexpected<Error> failure(int rc, const std::string& doing);

  LogContext& context_;
  Database& db_;
  StreamWrites& writes_;
  Tidy& tidy_;
  StreamRows rows_;
  Statement known_, segment_end_, segment_bytes_, drop_later_runs_, keep_corrupt_, drop_row_, continuation_;

  std::map<StreamKey, Known> streams_;
  std::vector<std::pair<uint64_t, std::string>> corrupt_;
  Recovered recovered_;
  std::string row_;  // the journal row that this recovery adds
  std::vector<StreamKey> ended_;
};

}  // namespace tokenrelay::storage
