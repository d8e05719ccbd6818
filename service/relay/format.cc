#include "service/relay/format.h"

#include "service/relay/event_codec.h"

namespace tokenrelay::relay {
namespace {

class SseFormat final : public Format {
 public:
  void append(std::string& out, const std::vector<Run>& runs, Seq seq, storage::EventKind kind,
              std::string_view payload) const override {
    out += "id: ";
    append_event_id(out, runs, seq);
    if (const auto name = event_name(kind); !name.empty()) {
      out += "\nevent: ";
      out += name;
    }
    out += "\ndata: ";
    append_data(out, kind, payload);
    out += "\n\n";
  }
};

}  // namespace

const Format& sse_format() {
  static const SseFormat format;
  return format;
}

}  // namespace tokenrelay::relay
