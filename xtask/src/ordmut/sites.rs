//! Finds every memory ordering in a source file, with the operation it belongs to.
//!
//! The file is parsed, arguments of macros included. An ordering must be written in place, as the argument of a method
//! of an atomic or of `fence`. Any other mention of one (a constant, a variable, an import, a pattern) is an error:
//! behind it, an ordering could be out of reach for this tool and nobody would notice.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, Token, UseTree};

/// A memory ordering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    Relaxed,
    Acquire,
    Release,
    AcqRel,
    SeqCst,
}

impl Order {
    const ALL: [Self; 5] = [Self::Relaxed, Self::Acquire, Self::Release, Self::AcqRel, Self::SeqCst];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.to_string() == name)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What an ordering belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Load,
    Store,
    /// A read-modify-write that always succeeds.
    Rmw,
    /// The write of a compare-exchange.
    CasSuccess,
    /// The load of a failed compare-exchange.
    CasFailure,
    Fence,
}

/// One ordering in a source file.
#[derive(Clone, Debug)]
pub struct Site {
    /// The path in the workspace.
    pub file: String,
    /// The line of the ordering.
    pub line: usize,
    /// The type and the function around it.
    pub function: String,
    /// The operation, as `self.head.load` or `self.tail.compare_exchange, success`. The second of the same name in one
    /// function has `(2)` behind its name.
    pub operation: String,
    /// What the ordering belongs to.
    pub kind: Kind,
    /// The ordering.
    pub order: Order,
    /// Where an edit goes: the ordering, or the whole call of a fence.
    pub span: Range<usize>,
    /// The ordering as it is written.
    pub written: String,
}

/// Finds the orderings of `source`, in the order of the text.
pub fn find(file: &str, source: &str) -> Result<Vec<Site>> {
    let parsed = syn::parse_file(source).with_context(|| format!("parsing {file}"))?;
    let mut finder = Finder {
        file,
        source,
        scope: Vec::new(),
        names: HashMap::new(),
        sites: Vec::new(),
        wrong: Vec::new(),
    };
    finder.visit_file(&parsed);
    if !finder.wrong.is_empty() {
        bail!("{}", finder.wrong.join("\n"));
    }
    finder.sites.sort_by_key(|site| site.span.start);
    Ok(finder.sites)
}

/// Returns which arguments of an atomic's method are orderings, by its name and the number of its arguments.
fn orderings_of(method: &str, arguments: usize) -> &'static [(usize, Kind)] {
    match (method, arguments) {
        ("load", 1) => &[(0, Kind::Load)],
        ("store", 2) => &[(1, Kind::Store)],
        ("swap", 2) => &[(1, Kind::Rmw)],
        ("compare_exchange" | "compare_exchange_weak", 4) => &[(2, Kind::CasSuccess), (3, Kind::CasFailure)],
        ("fetch_update" | "try_update" | "update", 3) => &[(0, Kind::CasSuccess), (1, Kind::CasFailure)],
        (name, 2) if name.starts_with("fetch_") => &[(1, Kind::Rmw)],
        _ => &[],
    }
}

struct Finder<'s> {
    file: &'s str,
    source: &'s str,
    /// The names of the types and functions around.
    scope: Vec<String>,
    /// How often an operation was met in a function.
    names: HashMap<(String, String), usize>,
    sites: Vec<Site>,
    wrong: Vec<String>,
}

impl Finder<'_> {
    fn refuse(&mut self, at: &impl Spanned, why: &str) {
        self.wrong.push(format!("{}:{}: {why}", self.file, at.span().start().line));
    }

    fn text(&self, span: Range<usize>) -> &str {
        self.source.get(span).unwrap_or_default()
    }

    /// Names an operation so that no other of the function has the name.
    fn name(&mut self, operation: &str) -> String {
        let operation: String = operation.split_whitespace().collect();
        let count = self.names.entry((self.scope.join("::"), operation.clone())).or_default();
        *count += 1;
        if *count == 1 { operation } else { format!("{operation} ({count})") }
    }

    fn enter(&mut self, expr: &Expr, operation: String, kind: Kind, whole: Option<Range<usize>>) {
        let order = match expr {
            Expr::Path(path) if path.path.segments.len() > 1 => order_at_end(&path.path),
            _ => None,
        };
        let Some(order) = order else {
            let why =
                format!("the ordering of `{operation}` is not written in place, as `Ordering::Acquire`");
            return self.refuse(expr, &why);
        };
        let written = expr.span().byte_range();
        self.sites.push(Site {
            file: self.file.to_owned(),
            line: expr.span().start().line,
            function: self.scope.join("::"),
            operation,
            kind,
            order,
            span: whole.unwrap_or(written.clone()),
            written: self.text(written).to_owned(),
        });
    }

    fn within(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.scope.push(name);
        visit(self);
        self.scope.pop();
    }

    /// Tells whether the path is the ordering of a site.
    fn is_known(&self, path: &syn::Path) -> bool {
        let at = path.span().byte_range();
        self.sites.iter().any(|site| site.span.start <= at.start && at.end <= site.span.end)
    }
}

fn order_at_end(path: &syn::Path) -> Option<Order> {
    path.segments.last().and_then(|last| Order::named(&last.ident.to_string()))
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        self.within(name.unwrap_or_else(|| "impl".into()), |finder| visit::visit_item_impl(finder, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.within(item.ident.to_string(), |finder| visit::visit_item_trait(finder, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(item.sig.ident.to_string(), |finder| visit::visit_item_fn(finder, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(item.sig.ident.to_string(), |finder| visit::visit_impl_item_fn(finder, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.within(item.sig.ident.to_string(), |finder| visit::visit_trait_item_fn(finder, item));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let orderings = orderings_of(&call.method.to_string(), call.args.len());
        if !orderings.is_empty() {
            let span = call.receiver.span().byte_range().start..call.method.span().byte_range().end;
            let text = self.text(span).to_owned();
            let operation = self.name(&text);
            for &(at, kind) in orderings {
                let operation = match kind {
                    Kind::CasSuccess => format!("{operation}, success"),
                    Kind::CasFailure => format!("{operation}, failure"),
                    _ => operation.clone(),
                };
                self.enter(&call.args[at], operation, kind, None);
            }
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && function.path.segments.last().is_some_and(|last| last.ident == "fence")
            && call.args.len() == 1
        {
            let operation = self.name("fence");
            self.enter(&call.args[0], operation, Kind::Fence, Some(call.span().byte_range()));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if order_at_end(path).is_some() && !self.is_known(path) {
            self.refuse(path, "an ordering that is not written in place of an atomic operation's argument");
        }
        visit::visit_path(self, path);
    }

    fn visit_use_tree(&mut self, tree: &'ast UseTree) {
        let brings_orderings = match tree {
            UseTree::Path(path) => path.ident == "Ordering",
            UseTree::Name(name) => Order::named(&name.ident.to_string()).is_some(),
            UseTree::Rename(name) => Order::named(&name.ident.to_string()).is_some(),
            _ => false,
        };
        if brings_orderings {
            self.refuse(
                tree,
                "an import of orderings; import `Ordering` and write `Ordering::Acquire` in place",
            );
        }
        visit::visit_use_tree(self, tree);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        match call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            Ok(arguments) => arguments.iter().for_each(|argument| self.visit_expr(argument)),
            Err(_) if names_an_order(call.tokens.clone()) => {
                self.refuse(call, "an ordering inside a macro whose arguments are no expressions");
            }
            Err(_) => {}
        }
    }
}

fn names_an_order(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => Order::named(&ident.to_string()).is_some(),
        TokenTree::Group(group) => names_an_order(group.stream()),
        _ => false,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        _ => &[],
    }
}

/// Tells whether the item is compiled for tests alone.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}
