/**
 * Loaded into the demo device's process before anything else: the device stops when the process that started it is
 * gone, also when that one was killed and could tell nobody.
 */
process.once('disconnect', () => {
  process.kill(process.pid, 'SIGTERM');
});
// The channel must not keep a device alive that has stopped.
process.channel?.unref();
