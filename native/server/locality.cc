#include "server/locality.h"

#include <algorithm>

namespace lamina::server {

Locality::Locality(Lookup lookup) : lookup_(lookup) {
  const auto allowed = sys::allowed_processors();
  if (!allowed.ok()) return;
  allowed_ = *allowed;
  enabled_ = CPU_COUNT(&allowed_) > 1;
}

int Locality::where(std::int32_t caller) {
  if (caller <= 0) return -1;
  Known& known = known_[static_cast<std::size_t>(caller) % known_.size()];
  if (known.caller != caller || ++known.uses >= uses_of_an_answer) {
    const auto processor = lookup_(caller);
    if (!processor.ok()) return -1;
    known = {caller, *processor, 0};
  }
  return static_cast<int>(known.processor);
}

void Locality::serving(std::int32_t caller) {
  if (!enabled_) return;
  const int processor = where(caller);
  if (processor < 0) return;
  if (processor == candidate_) {
    streak_ = std::min(streak_ + 1, certain);
    if (streak_ >= settled && pinned_ != candidate_) stay(candidate_);
    return;
  }
  streak_ -= stray_weight;
  if (streak_ > 0) return;
  candidate_ = processor;
  streak_ = 1;
  roam();
}

void Locality::stay(int processor) {
  // Where it may not run, the next streak will not try again at once: it counts as done.
  pinned_ = processor;
  if (CPU_ISSET(static_cast<unsigned>(processor), &allowed_)) static_cast<void>(sys::stay_on(static_cast<unsigned>(processor)));
}

void Locality::roam() {
  if (pinned_ < 0) return;
  pinned_ = -1;
  static_cast<void>(sys::allow_processors(allowed_));
}

}  // namespace lamina::server
