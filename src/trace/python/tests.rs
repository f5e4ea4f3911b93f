use crate::source::RelPath;
use crate::trace;
use crate::trace::places::Places;

fn shop() -> Places {
    let files = ["app.py", "shop/cart.py", "tests/test_cart.py", "test_unit.py", "tests/test_syntax.py", "tests/test_broken_import.py"];
    Places::new(vec!["/home/dev/shop".into()], files.map(|file| RelPath::new(file).expect("path")))
}

#[test]
fn dump() {
    for folder in ["pytest", "unittest", "python-trace"] {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs").join(folder);
        let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files {
            let found = trace::failures(&std::fs::read(&file).unwrap(), &shop(), &RelPath::root());
            println!("=== {} {}", file.file_name().unwrap().to_string_lossy(), found.len());
            for f in &found {
                println!("  {} {:?} {:?} a={:?} e={:?} out={}", f.id, f.kind, f.message.chars().take(90).collect::<String>(), f.actual, f.expected, f.output.len());
                println!("      {:?}", f.frames.iter().take(6).map(|f| format!("{}{}:{:?} {:?}", if f.path.is_some() {""} else {"!"}, f.written.rsplit('/').next().unwrap(), f.line.unwrap_or(0), f.symbol.as_deref().unwrap_or("-"))).collect::<Vec<_>>());
            }
        }
    }
}
