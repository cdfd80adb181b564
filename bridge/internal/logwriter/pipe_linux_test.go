package logwriter_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/logwriter"
)

// A bridge and its successor may have one pipe as their standard error.
func TestLinesOfTwoProcessesOnOnePipeStayWhole(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const each = 2000
	var writers sync.WaitGroup
	for i := range 2 {
		fd, err := syscall.Dup(int(w.Fd())) // one file would write for one at a time
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "pipe")
		l := logwriter.New(f, often)
		writers.Go(func() {
			defer f.Close()
			defer l.Close()
			for j := range each {
				level := hclog.Info
				if j%97 == 0 {
					level = hclog.Warn
				}
				line := fmt.Sprintf("%d %d %s\n", i, j, strings.Repeat(string(rune('a'+i)), j%500))
				l.WriteLine(level, often, []byte(line))
			}
		})
	}
	w.Close()
	next := [2]int{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var i, j int
		var rest string
		if n, _ := fmt.Sscanf(lines.Text()+" .", "%d %d %s", &i, &j, &rest); n != 3 || i > 1 || j != next[i] ||
			len(lines.Text()) != len(fmt.Sprintf("%d %d ", i, j))+j%500 {
			t.Fatalf("after lines %v: %q", next, lines.Text())
		}
		next[i]++
	}
	writers.Wait()
	if next != [2]int{each, each} {
		t.Errorf("there are lines %v", next)
	}
}
