//! Items by number, in pages: growing never moves an item, and memory is taken a page at a time.

const PAGE: usize = 1024;

/// Items by number. A number is given again after its item was removed.
pub struct Slab<T> {
    pages: Vec<Vec<T>>,
    len: usize,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// How many numbers there are, those without an item among them.
    pub fn numbers(&self) -> u32 {
        self.len as u32
    }

    pub fn insert(&mut self, item: T) -> u32 {
        if let Some(number) = self.free.pop() {
            *self.get_mut(number) = item;
            return number;
        }
        if self.len.is_multiple_of(PAGE) {
            // A table of few entries takes no whole page.
            let room = if self.pages.is_empty() { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(room));
        }
        self.pages[self.len / PAGE].push(item);
        self.len += 1;
        u32::try_from(self.len - 1).expect("fewer than 4 billion entries fit into memory")
    }

    /// Let the number be given again; its item is whatever the caller has left there.
    pub fn release(&mut self, number: u32) {
        self.free.push(number);
    }

    pub fn get(&self, number: u32) -> &T {
        &self.pages[number as usize / PAGE][number as usize % PAGE]
    }

    pub fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.pages[number as usize / PAGE][number as usize % PAGE]
    }
}
