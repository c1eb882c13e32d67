// A passthrough file system on fuse-native, a peer in the benchmark: fuse-native.mjs SOURCE MOUNTPOINT. Says `mounted`
// once it answers, ends when it is unmounted. What it cannot do: learn who calls (all that is made belongs to root),
// devices and setuid (it mounts nodev,nosuid), names that are not UTF-8.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const Fuse = require('fuse-native');
const [source, mountpoint] = process.argv.slice(2);
const at = (path) => join(source, path);

/** A callback of fs → one of fuse-native: 0 or a negative errno, then the result. */
const answer = (done) => (error, value) => done(error ? error.errno : 0, value);
/** fuse-native gets the bytes in the place of the error. */
const transfer = (call, fd, [buffer, length, position, done]) =>
  call(fd, buffer, 0, length, position, (error, count) => done(error ? error.errno : count));
const seconds = (milliseconds) => milliseconds / 1000;

const operations = {
  getattr: (path, done) => fs.lstat(at(path), answer(done)),
  readdir: (path, done) => fs.readdir(at(path), answer(done)),
  readlink: (path, done) => fs.readlink(at(path), answer(done)),
  access: (_path, _mode, done) => process.nextTick(done, 0),
  open: (path, flags, done) => fs.open(at(path), flags & ~(fs.constants.O_CREAT | fs.constants.O_EXCL), answer(done)),
  create: (path, mode, done) => fs.open(at(path), fs.constants.O_RDWR | fs.constants.O_CREAT, mode, answer(done)),
  release: (_path, fd, done) => fs.close(fd, answer(done)),
  read: (_path, fd, ...rest) => transfer(fs.read, fd, rest),
  write: (_path, fd, ...rest) => transfer(fs.write, fd, rest),
  fsync: (_path, dataOnly, fd, done) => (dataOnly ? fs.fdatasync : fs.fsync)(fd, answer(done)),
  truncate: (path, size, done) => fs.truncate(at(path), size, answer(done)),
  ftruncate: (_path, fd, size, done) => fs.ftruncate(fd, size, answer(done)),
  utimens: (path, atime, mtime, done) => fs.lutimes(at(path), seconds(atime), seconds(mtime), answer(done)),
  chown: (path, uid, gid, done) => fs.lchown(at(path), uid, gid, answer(done)),
  chmod: (path, mode, done) => fs.chmod(at(path), mode & 0o7777, answer(done)),
  unlink: (path, done) => fs.unlink(at(path), answer(done)),
  rename: (from, to, done) => fs.rename(at(from), at(to), answer(done)),
  link: (from, to, done) => fs.link(at(from), at(to), answer(done)),
  symlink: (target, path, done) => fs.symlink(target, at(path), answer(done)),
  mkdir: (path, mode, done) => fs.mkdir(at(path), mode, answer(done)),
  rmdir: (path, done) => fs.rmdir(at(path), answer(done)),
};

const fuse = new Fuse(mountpoint, operations, { allowOther: true, fsname: 'fuse-native', timeout: false });
fuse.mount((error) => {
  if (error) throw error;
  process.stdout.write('mounted\n');
});
