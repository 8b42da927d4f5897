package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadDocument(t *testing.T) {
	t.Parallel()
	text := "# The `head` file, v1\n[a](b.md) and [c](d.md#e)\n`[not](code)`\n```\n[not](fenced)\n# not\n```\n    [not](indented)\n## Second one\n"
	got := readDocument(text)
	if diff := cmp.Diff([]string{"b.md", "d.md#e"}, got.links); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"the-head-file-v1", "second-one"}, got.anchors); diff != "" {
		t.Error(diff)
	}
}

func TestLinksOfDocumentsResolve(t *testing.T) {
	t.Parallel()
	for _, path := range markdown(t) {
		for _, link := range read(t, path).links {
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			file, fragment, _ := strings.Cut(link, "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link %s: no such file", path, link)
				continue
			}
			if fragment != "" && !slices.Contains(read(t, target).anchors, fragment) {
				t.Errorf("%s: link %s: no such heading", path, link)
			}
		}
	}
}

func read(t *testing.T, path string) document {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return readDocument(string(text))
}

func markdown(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."), d.IsDir() && d.Name() == "testdata", d.IsDir() && d.Name() == "dist":
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
