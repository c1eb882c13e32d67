#include "sys/thread.h"

#include <pthread.h>

#include <csignal>
#include <system_error>

namespace lamina::sys {

Result<std::thread> start_thread(const std::string& name, std::function<void()> body) {
  // The new thread inherits the mask of its creator.
  sigset_t all = {};
  sigset_t before = {};
  (void)sigfillset(&all);
  if (const int error = ::pthread_sigmask(SIG_SETMASK, &all, &before); error != 0) return Errno{error};
  Result<std::thread> started = Errno{EAGAIN};
  try {
    started = std::thread(std::move(body));
    (void)::pthread_setname_np(started->native_handle(), name.substr(0, 15).c_str());  // only for diagnosis
  } catch (const std::system_error& error) {
    started = Errno{error.code().value()};
  }
  if (const int error = ::pthread_sigmask(SIG_SETMASK, &before, nullptr); error != 0 && !started.ok())
    return Errno{error};
  return started;
}

}  // namespace lamina::sys
