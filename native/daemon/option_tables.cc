#include "daemon/option_tables.h"

#include <sys/mount.h>

#include <array>
#include <utility>

namespace lamina::daemon {

namespace {

template <typename Value, std::size_t Size>
const Value* find(const std::array<std::pair<std::string_view, Value>, Size>& table, std::string_view name) {
  for (const auto& [key, value] : table) {
    if (key == name) return &value;
  }
  return nullptr;
}

constexpr std::array<std::pair<std::string_view, FlagChange>, 19> flags{{
    {"ro", {MS_RDONLY, 0}},
    {"rw", {0, MS_RDONLY}},
    {"nosuid", {MS_NOSUID, 0}},
    {"suid", {0, MS_NOSUID}},
    {"nodev", {MS_NODEV, 0}},
    {"dev", {0, MS_NODEV}},
    {"noexec", {MS_NOEXEC, 0}},
    {"exec", {0, MS_NOEXEC}},
    {"noatime", {MS_NOATIME, 0}},
    {"atime", {0, MS_NOATIME}},
    {"nodiratime", {MS_NODIRATIME, 0}},
    {"diratime", {0, MS_NODIRATIME}},
    {"relatime", {MS_RELATIME, 0}},
    {"norelatime", {0, MS_RELATIME}},
    {"strictatime", {MS_STRICTATIME, 0}},
    {"lazytime", {MS_LAZYTIME, 0}},
    {"sync", {MS_SYNCHRONOUS, 0}},
    {"async", {0, MS_SYNCHRONOUS}},
    {"dirsync", {MS_DIRSYNC, 0}},
}};

constexpr std::string_view any = "*";
// The value for which the option changes nothing.
constexpr std::array<std::pair<std::string_view, std::string_view>, 30> harmless{{
    {"default_permissions", any},  // always
    {"index", "off"},
    {"nfs_export", "off"},
    {"xino", any},  // st_ino is unique in the mount anyway
    {"ino32_t", any},
    {"fast_ino", any},
    {"fast_ino_check", any},
    {"plugins", ""},  // none
    {"threaded", any},
    {"clone_fd", any},
    {"timeout", any},  // nothing but the mount changes what is in it
    {"entry_timeout", any},
    {"attr_timeout", any},
    {"negative_timeout", any},
    {"big_writes", any},
    {"splice_read", any},
    {"splice_write", any},
    {"splice_move", any},
    {"kernel_cache", any},  // always
    {"max_write", any},
    {"max_idle_threads", any},
    {"max_threads", any},
    {"nonempty", any},
    {"uuid", any},
    {"verity", "off"},
    {"defaults", any},
    {"auto", any},
    {"noauto", any},
    {"user", any},
    {"_netdev", any},
}};

constexpr std::array<std::pair<std::string_view, const char*>, 8> refused{{
    {"plugins", "layers are directories"},
    {"verity", "digests of metacopies are not checked"},
    {"datadir+", "name all layers in lowerdir=, topmost first"},
    {"lowerdir+", "name all layers in lowerdir=, topmost first"},
    {"index", "hard links of lowers stay together by lowerindex= only; say index=off"},
    {"nfs_export", "mounts cannot be exported; say nfs_export=off"},
    {"override_creds", "layers are reached as the user who mounts"},
    {"default_data_only", "name all layers in lowerdir=, topmost first"},
}};

constexpr std::array<std::pair<std::string_view, const char*>, 2> without_effect{{
    {"allow_root", "other users, root among them, are let in by allow_other only"},
    {"auto_unmount", "the mount of a driver that is killed stays; unmount it with umount or fusermount3 -u"},
}};

}  // namespace

std::optional<FlagChange> mount_flag(std::string_view name) {
  const FlagChange* change = find(flags, name);
  return change == nullptr ? std::nullopt : std::optional(*change);
}

bool changes_nothing(std::string_view name, std::string_view value) {
  const std::string_view* wanted = find(harmless, name);
  return wanted != nullptr && (*wanted == any || *wanted == value);
}

const char* reason_to_refuse(std::string_view name) {
  const char* const* reason = find(refused, name);
  return reason == nullptr ? nullptr : *reason;
}

const char* reason_without_effect(std::string_view name) {
  const char* const* reason = find(without_effect, name);
  return reason == nullptr ? nullptr : *reason;
}

}  // namespace lamina::daemon
