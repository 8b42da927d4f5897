package manual

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// FromKong describes a program from its kong grammar.
func FromKong(app *kong.Application) Program {
	p := Program{Name: app.Name, Flags: flagsOf(app.Node), Alone: app.DefaultCmd != nil}
	for _, node := range app.Children {
		if !node.Hidden {
			p.Commands = append(p.Commands, commandOf(node))
		}
	}
	return p
}

func commandOf(node *kong.Node) Command {
	c := Command{Name: node.Name, Help: node.Help, Flags: flagsOf(node)}
	for _, o := range node.Positional {
		operand := Operand{Name: strings.ToUpper(o.Name), Help: o.Help, Optional: !o.Required}
		operand.Takes = KindOf(operand.Name)
		if o.IsCumulative() {
			operand.Takes = Executable
		}
		c.Operands = append(c.Operands, operand)
	}
	return c
}

func flagsOf(node *kong.Node) []Flag {
	var list []Flag
	for _, f := range node.Flags {
		m := Flag{Name: f.Name, Help: f.Help, Repeats: f.IsCumulative(), Needed: f.Required}
		if f.Name == "help" {
			m = Help()
		} else if !f.IsBool() {
			m.Value = f.PlaceHolder
			m.Choices = slices.DeleteFunc(strings.Split(f.Enum, ","), func(choice string) bool { return choice == "" })
		}
		if !f.Hidden {
			list = append(list, m)
		}
	}
	return list
}
