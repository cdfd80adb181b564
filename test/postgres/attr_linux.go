package postgres

import "syscall"

// endWithParent has a process end at once when its parent does.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
