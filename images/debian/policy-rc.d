#!/bin/sh
# Package scripts start, stop and restart nothing in this root: 101 is "action forbidden by policy"
# (invoke-rc.d(8), /usr/share/doc/init-system-helpers/README.policy-rc.d.gz).
exit 101
