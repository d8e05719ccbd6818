#include "service/surface/own.h"

namespace tokenrelay::surface {

void send_own(SurfaceRequest& request, std::string_view kind, std::string_view body,
              const std::optional<Error>& untranslated) {
  request.own_kind = kind;
  if (!untranslated) return;
  request.untranslated = upstream::UnsupportedField{untranslated->param, untranslated->message};
  request.prompt_bytes = body.size();  // as good as any estimate of what it holds
}

}  // namespace tokenrelay::surface
