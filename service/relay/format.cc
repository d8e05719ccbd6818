#include "service/relay/format.h"

#include "service/relay/event_codec.h"

namespace tokenrelay::relay {
namespace {

class SseFormat final : public Format {
 public:
  void append(std::string& out, const std::vector<Run>& runs, Seq seq, storage::EventKind kind,
              std::string_view payload) override {
    if (!is_shown(kind)) return;
    if (const auto name = event_name(kind); !name.empty()) {
      out += "event: ";
      out += name;
      out += '\n';
    }
    out += "data: ";
    append_data(out, kind, payload);
    // Last in its block, though the standard allows any order: fetch-event-source uses an id as soon as it sees the
    // line, and after a cut would resume behind an event whose data it never got.
    out += "\nid: ";
    append_event_id(out, runs, seq);
    out += "\n\n";
  }
};

}  // namespace

Format& sse_format() {
  static SseFormat format;
  return format;
}

}  // namespace tokenrelay::relay
