#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""confined.py UNIT COMMAND...: runs a command under what a unit says of system calls, namespaces, capabilities, user and /proc, without
systemd. For tests: as root. Its groups of system calls come from systemd-analyze."""
import ctypes
import ctypes.util
import errno
import os
import re
import subprocess
import sys

ALLOW, EPERM_ACTION = 0x7FFF0000, 0x00050000 | errno.EPERM
NOBODY = 65534
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUSER, MS_REC, MS_PRIVATE = 0x20000, 0x02000000, 0x10000000, 0x4000, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
MASKED_EQ = 7


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def group(name):
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    words = [line.strip() for line in text.splitlines()[1:]]
    return set().union(*(group(word) for word in words if word and not word.startswith("#")))


def allowed(unit):
    calls = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
        for word in value.lstrip("~").split():
            calls = calls - group(word) if value.startswith("~") else calls | group(word)
    # What systemd allows whatever the unit says.
    return calls | group("@default")


def check(what, value):
    if value != 0:
        raise OSError(ctypes.get_errno() or abs(value), what)


unit = open(sys.argv[1], encoding="utf-8").read()
libc = ctypes.CDLL(None, use_errno=True)
seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
seccomp.seccomp_init.restype = ctypes.c_void_p
calls = allowed(unit)

check("unshare", libc.unshare(CLONE_NEWNS))
check("mount", libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
if "\nProcSubset=pid\n" in unit:
    hidden = re.search(r"^ProtectProc=(.*)$", unit, re.M)
    check("proc", libc.mount(b"proc", b"/proc", b"proc", 14, f"hidepid={hidden.group(1) if hidden else 'off'},subset=pid".encode()))
if "\nPrivateUsers=yes\n" in unit:
    # From outside, for more than one line: root and the service's own user.
    ours, theirs = os.pipe()
    outer = os.getpid()
    child = os.fork()
    if child == 0:
        os.read(ours, 1)
        for kind in ("uid", "gid"):
            with open(f"/proc/{outer}/{kind}_map", "w", encoding="ascii") as out:
                out.write(f"0 0 1\n{NOBODY} {NOBODY} 1\n")
        os._exit(0)
    check("unshare", libc.unshare(CLONE_NEWUSER))
    os.write(theirs, b"1")
    assert os.waitpid(child, 0)[1] == 0, "no map of users"
    os.close(ours)
    os.close(theirs)
for capability in range(64):
    libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
os.setgroups([])
os.setresgid(NOBODY, NOBODY, NOBODY)
os.setresuid(NOBODY, NOBODY, NOBODY)
check("no_new_privs", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))

# RestrictNamespaces: those that are not listed cannot be made, and clone3, whose flags no filter sees, is not there.
wanted = re.search(r"^RestrictNamespaces=(.*)$", unit, re.M).group(1).split()
assert sorted(wanted) == sorted(["user", "pid", "net", "ipc", "uts", "mnt"]), wanted
spaces = ctypes.c_void_p(seccomp.seccomp_init(ALLOW))
for call, position in (("unshare", 0), ("clone", 0), ("setns", 1)):
    check(call, seccomp.seccomp_rule_add_array(spaces, EPERM_ACTION, seccomp.seccomp_syscall_resolve_name(call.encode()), 1,
                                               ctypes.byref(Compare(position, MASKED_EQ, CLONE_NEWCGROUP, CLONE_NEWCGROUP))))
check("clone3", seccomp.seccomp_rule_add_array(spaces, 0x00050000 | errno.ENOSYS, seccomp.seccomp_syscall_resolve_name(b"clone3"), 0, None))
check("load", seccomp.seccomp_load(spaces))
filters = ctypes.c_void_p(seccomp.seccomp_init(EPERM_ACTION))
for call in sorted(calls):
    number = seccomp.seccomp_syscall_resolve_name(call.encode())
    if number >= 0:
        check(call, seccomp.seccomp_rule_add_array(filters, ALLOW, number, 0, None))
check("load", seccomp.seccomp_load(filters))
os.execv(sys.argv[2], sys.argv[2:])
